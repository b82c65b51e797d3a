"""One table: error code -> exit status, English, Chinese, next action in both.

Exit statuses follow sysexits where one fits: 64 usage, 65 data, 69 cloud unreachable, 74 local
storage, 75 temporary bus failure, 76 device exception, 78 configuration; 1 is a bug, 80 a port.
"""

from edge.core.errors import TallyError

LANGUAGES = ("en", "zh")

#: code -> (exit status, English, Chinese, next action in English, next action in Chinese)
TABLE: dict[str, tuple[int, str, str, str, str]] = {
    "bus.timeout": (
        75,
        "station {station} did not answer within {timeout_ms} ms",
        "站号 {station} 在 {timeout_ms} 毫秒内没有应答",
        "check A/B wiring, power, station number and baud rate",
        "检查 A/B 接线、电源、站号和波特率",
    ),
    "bus.crc": (
        75,
        "the answer of station {station} has a wrong CRC: {frame_hex}",
        "站号 {station} 的应答 CRC 错误：{frame_hex}",
        "check termination, grounding and cable length; noise grows with frame length",
        "检查终端电阻、接地和线缆长度；帧越长干扰越明显",
    ),
    "bus.mismatch": (
        75,
        "a frame arrived that does not answer the request to station {station}: {frame_hex}",
        "收到的帧与发给站号 {station} 的请求不符：{frame_hex}",
        "look for a second master, two stations with one number, or an echoing adapter",
        "检查是否有第二个主站、站号重复或会回显的转换器",
    ),
    "bus.short": (
        75,
        "the answer of station {station} broke off: {frame_hex}",
        "站号 {station} 的应答不完整：{frame_hex}",
        "check the direction control (DE) timing and the reply timeout",
        "检查收发方向（DE）时序和应答超时设置",
    ),
    "bus.noise": (
        75,
        "the line is never silent: {frame_hex}",
        "总线一直没有静默：{frame_hex}",
        "find the station or device that keeps sending; check bias resistors",
        "找出持续发送的设备；检查偏置电阻",
    ),
    "bus.port": (
        80,
        "serial port {port} cannot be used: {reason}",
        "串口 {port} 无法使用：{reason}",
        "check that the adapter is plugged in, that nothing else uses it, and the dialout group",
        "检查适配器是否插好、是否被占用，以及 dialout 组权限",
    ),
    "device.illegal_function": (
        76,
        "station {station} does not know function {function}",
        "站号 {station} 不支持功能码 {function}",
        "check the profile: the device may want function 3 instead of 4",
        "检查设备档案：设备可能要用功能码 3 而不是 4",
    ),
    "device.illegal_address": (
        76,
        "station {station} has no register at address {address} (count {count})",
        "站号 {station} 没有地址 {address}（数量 {count}）的寄存器",
        "check the profile and the address base (0-based on the wire)",
        "检查设备档案和地址基准（线上从 0 开始）",
    ),
    "device.illegal_value": (
        76,
        "station {station} refuses {count} registers from address {address}",
        "站号 {station} 拒绝从地址 {address} 读取 {count} 个寄存器",
        "lower max_block_registers in the profile",
        "在设备档案中减小 max_block_registers",
    ),
    "device.busy": (
        76,
        "station {station} is busy (exception {exception})",
        "站号 {station} 忙（异常码 {exception}）",
        "it is asked again at the next poll; if it stays busy, poll it less often",
        "下次轮询会再试；若一直忙，请降低轮询频率",
    ),
    "device.failure": (
        76,
        "station {station} reports exception {exception}",
        "站号 {station} 报告异常码 {exception}",
        "read the device's own display or log",
        "查看设备自身的显示或日志",
    ),
    "data.range": (
        65,
        "{what} is out of range: {value}",
        "{what} 超出范围：{value}",
        "check the scale and the type of the point",
        "检查测点的比例和类型",
    ),
    "data.decimal": (
        65,
        "not a decimal number: {text}",
        "不是十进制数：{text}",
        "write it like 0.8325, without exponent or unit",
        "请写成 0.8325 这样的形式，不带指数和单位",
    ),
    "data.pack": (
        65,
        "packed data cannot be read: {reason}",
        "打包数据无法读取：{reason}",
        "compare sender and receiver versions; the payload is kept for study",
        "核对收发双方版本；该数据已保留备查",
    ),
    "data.record": (
        65,
        "record {seq} has a wrong shape: {reason}",
        "记录 {seq} 的结构错误：{reason}",
        "compare sender and receiver versions; the payload is kept for study",
        "核对收发双方版本；该数据已保留备查",
    ),
    "data.backwards": (
        65,
        "counter {point} went back from {before} to {value}",
        "计数器 {point} 从 {before} 倒退到 {value}",
        "if the meter was exchanged, record the exchange; the value is not counted until then",
        "如更换了电表，请登记换表；在此之前该值不计入",
    ),
    "config.file": (
        78,
        "{file}: {reason}",
        "{file}：{reason}",
        "check the path and the permissions",
        "检查路径和权限",
    ),
    "config.syntax": (
        78,
        "{file}: not valid TOML: {reason}",
        "{file}：不是有效的 TOML：{reason}",
        "correct the line it names",
        "修正所指出的那一行",
    ),
    "config.unknown_key": (
        78,
        "{file}: unknown key {key}; did you mean {nearest}?",
        "{file}：未知的键 {key}；是否想写 {nearest}？",
        "correct the key or remove it",
        "改正或删除该键",
    ),
    "config.missing_key": (
        78,
        "{file}: {key} is missing; expected {expected}",
        "{file}：缺少 {key}；应为 {expected}",
        "add the key",
        "补上该键",
    ),
    "config.value": (
        78,
        "{file}: {key} is {found}; expected {expected}",
        "{file}：{key} 的值为 {found}；应为 {expected}",
        "correct the value",
        "改正该值",
    ),
    "config.duplicate": (
        78,
        "{file}: {key} is used twice: {found}",
        "{file}：{key} 重复：{found}",
        "give each one its own",
        "为每一项设置不同的值",
    ),
    "config.reference": (
        78,
        "{file}: {key} names {found}, which does not exist; did you mean {nearest}?",
        "{file}：{key} 引用的 {found} 不存在；是否想写 {nearest}？",
        "correct the name",
        "改正名称",
    ),
    "config.profile": (
        78,
        "profile {profile}: {reason}",
        "设备档案 {profile}：{reason}",
        "correct the profile file",
        "修正设备档案文件",
    ),
    "config.secret": (
        78,
        "{file}: {reason}",
        "{file}：{reason}",
        "keep 64 hexadecimal digits in it, readable by its owner only (chmod 600)",
        "文件应含 64 个十六进制数字，且仅所有者可读（chmod 600）",
    ),
    "usage.missing_extra": (
        64,
        "this command needs the package {package}",
        "此命令需要软件包 {package}",
        "install carbontally with the extra {extra}",
        "安装带 {extra} 附加组件的 carbontally",
    ),
    "usage.unknown_verb": (
        64,
        "there is no command {verb}; did you mean {nearest}?",
        "没有命令 {verb}；是否想用 {nearest}？",
        "see carbontally help",
        "参见 carbontally help",
    ),
    "usage.value": (
        64,
        "{option} is {found}; expected {expected}",
        "{option} 的值为 {found}；应为 {expected}",
        "see the command's --help",
        "参见该命令的 --help",
    ),
    "store.open": (
        74,
        "journal {file} cannot be opened: {reason}",
        "日志库 {file} 无法打开：{reason}",
        "check disk, path and permissions",
        "检查磁盘、路径和权限",
    ),
    "store.full": (
        74,
        "no space left for the journal {file}",
        "日志库 {file} 没有剩余空间",
        "free space on the disk; polling goes on and is kept in memory meanwhile",
        "请清理磁盘空间；其间轮询继续并暂存于内存",
    ),
    "store.corrupt": (
        74,
        "journal {file} is damaged at record {seq}",
        "日志库 {file} 在记录 {seq} 处损坏",
        "keep the file for study and let the gateway start a new one",
        "保留该文件备查，让网关新建一个",
    ),
    "store.write": (
        74,
        "journal {file} cannot be written: {reason}",
        "日志库 {file} 无法写入：{reason}",
        "check the disk; polling goes on and is kept in memory meanwhile",
        "检查磁盘；其间轮询继续并暂存于内存",
    ),
    "store.foreign": (
        74,
        "journal {file} belongs to gateway {found}, not to {expected}",
        "日志库 {file} 属于网关 {found}，而不是 {expected}",
        "correct gateway.id, or give this gateway its own journal file",
        "改正 gateway.id，或为本网关另设日志库文件",
    ),
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
    "demo.verdict": (
        65,
        "the verdict does not hold: lost {lost}, duplicated {duplicated}, wrong {wrong}",
        "结论不成立：丢失 {lost}，重复 {duplicated}，错误 {wrong}",
        "keep the directory and report it as a bug",
        "请保留该目录并作为缺陷上报",
    ),
    "demo.process": (
        1,
        "{name} stopped with status {status}: {reason}",
        "{name} 以状态 {status} 停止：{reason}",
        "read its message above",
        "查看上面的信息",
    ),
}


def exit_status(code: str) -> int:
    """The process exit status of an error code; 1 for a code that is not in the table."""
    return TABLE[code][0] if code in TABLE else 1


def describe(error: TallyError, language: str = "en") -> tuple[str, str]:
    """Return (what happened, what to do next) in `language`, "en" or "zh"."""
    if error.code not in TABLE:
        return error.code, ""
    _, en, zh, next_en, next_zh = TABLE[error.code]
    if language == "zh":
        return _fill(zh, error.fields), next_zh
    return _fill(en, error.fields), next_en


def _fill(text: str, fields: dict[str, object]) -> str:
    for name in fields:
        text = text.replace("{" + name + "}", printable(str(fields[name])))
    return text


def printable(text: str, limit: int = 200) -> str:
    """`text` fit for a terminal or a log: control characters replaced, length capped.

    Peers choose some of it (device names, broker reasons), so it is treated as hostile.
    """
    clean = "".join(c if c >= " " and c != "\x7f" else "?" for c in text)
    return clean if len(clean) <= limit else clean[:limit] + "..."
