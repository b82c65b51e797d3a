"""Between gateway and cloud. Columns: see `errors.table`."""

ROWS: dict[str, tuple[int, str, str, str, str]] = {
    "sync.offline": (
        69,
        "the broker {server} cannot be reached: {reason}",
        "无法连接代理 {server}：{reason}",
        "check network, name and port; readings are kept and sent later",
        "检查网络、名称和端口；读数会保存并稍后发送",
    ),
    "sync.refused": (
        69,
        "the broker {server} refuses the connection (code {reason})",
        "代理 {server} 拒绝连接（代码 {reason}）",
        "check user, password and client id; readings are kept and sent later",
        "检查用户名、密码和客户端标识；读数会保存并稍后发送",
    ),
    "sync.protocol": (
        69,
        "the broker broke the MQTT protocol: {reason}",
        "代理违反 MQTT 协议：{reason}",
        "check that the port really is an MQTT broker",
        "确认该端口确实是 MQTT 代理",
    ),
    "sync.timeout": (
        69,
        "no answer from the broker within {timeout_ms} ms ({operation})",
        "代理在 {timeout_ms} 毫秒内没有应答（{operation}）",
        "it is tried again by itself; check the network if it lasts",
        "会自动重试；若持续发生请检查网络",
    ),
    "sync.mac": (
        65,
        "a {what} for gateway {gateway} is not authentic",
        "网关 {gateway} 的 {what} 未通过认证",
        "compare the device key on both sides; if they agree, someone forged it",
        "核对两端的设备密钥；若一致，则有人伪造",
    ),
    "sync.chain": (
        65,
        "the hash chain of gateway {gateway} breaks at record {seq}",
        "网关 {gateway} 的哈希链在记录 {seq} 处断裂",
        "the batch is set aside; verify the gateway's journal",
        "该批次已隔离；请核验网关日志库",
    ),
    "sync.fork": (
        65,
        "gateway {gateway} sent a different record {seq} than before",
        "网关 {gateway} 发送的记录 {seq} 与先前不同",
        "nothing was overwritten; look for a cloned device or a restored disk",
        "没有覆盖任何数据；检查是否有克隆设备或还原的磁盘",
    ),
    "sync.unknown_gateway": (
        65,
        "gateway {gateway} is not registered",
        "网关 {gateway} 未注册",
        "add its key to the receiver's key file",
        "将其密钥加入接收端密钥文件",
    ),
    "sync.ack": (
        65,
        "an acknowledgement does not fit this journal: {reason}",
        "确认消息与本日志库不符：{reason}",
        "nothing was released; verify the receiver",
        "没有释放任何数据；请核验接收端",
    ),
}
