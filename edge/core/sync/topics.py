"""MQTT topics: carbontally/v1/<tenant>/<gateway>/<leaf>."""

#: leaf -> who writes: batch (gateway), ack (receiver, retained), state (gateway, retained, will)
BATCH = "batch"
ACK = "ack"
STATE = "state"


def topic(tenant: str, gateway: str, leaf: str) -> str:
    """The topic of one gateway's leaf; "+" as tenant or gateway makes a subscription."""
    return "carbontally/v1/" + tenant + "/" + gateway + "/" + leaf


def parse_topic(text: str) -> tuple[str, str, str] | None:
    """(tenant, gateway, leaf), or None for a topic that is not ours."""
    parts = text.split("/")
    if len(parts) != 5 or parts[0] != "carbontally" or parts[1] != "v1":
        return None
    return parts[2], parts[3], parts[4]
