"""What cloud teams run: receive, verify and keep what the gateways send."""
