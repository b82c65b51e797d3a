"""The words for what `doctor` finds: cause -> what it is and what to do next, in two languages."""

#: cause -> (English, Chinese, next action in English, next action in Chinese)
CAUSES: dict[str, tuple[str, str, str, str]] = {
    "port_missing": (
        "there is no such serial port",
        "没有这个串口",
        "plug the adapter in and look at `ls /dev/serial/by-id`",
        "插好适配器，用 `ls /dev/serial/by-id` 查看",
    ),
    "port_denied": (
        "this user may not open the serial port",
        "当前用户无权打开串口",
        "run `sudo usermod -aG dialout $USER`, log out and in again",
        "执行 `sudo usermod -aG dialout $USER`，注销后重新登录",
    ),
    "port_busy": (
        "another program has the serial port open",
        "串口被其他程序占用",
        "stop it: `fuser -v PORT` names it; a running gateway is `systemctl stop carbontally`",
        "停止占用程序：`fuser -v 串口` 可查；网关用 `systemctl stop carbontally` 停止",
    ),
    "port_failed": (
        "the serial port fails",
        "串口故障",
        "unplug the adapter and plug it in again; try another one",
        "重新插拔适配器，或更换一个",
    ),
    "babble": (
        "something keeps sending although nobody asked",
        "无人请求时总线上仍有设备持续发送",
        "disconnect the stations one by one until the line is silent; check bias resistors",
        "逐个断开站点直到总线静默；检查偏置电阻",
    ),
    "foreign_master": (
        "another master is polling this bus",
        "另有主站正在轮询此总线",
        "stop the other master, or connect this one in its place: a bus has one master",
        "停掉另一个主站或用本机取代它：一条总线只能有一个主站",
    ),
    "echo": (
        "the adapter hears what it sends",
        "转换器会回显自己发送的数据",
        "nothing is broken and carbontally copes; /RE tied to DE on the adapter ends it",
        "不影响使用；将转换器的 /RE 与 DE 相连可消除",
    ),
    "first_lost": (
        "replies arrive without their first byte: the driver is released too late",
        "应答缺首字节：发送方向（DE）释放过晚",
        "shorten the DE hold time after sending, or use an adapter with automatic direction",
        "缩短发送后 DE 的保持时间，或改用自动换向的转换器",
    ),
    "last_lost": (
        "replies arrive without their last byte: a driver is released too early",
        "应答缺末字节：发送方向（DE）释放过早",
        "lengthen the DE hold time at the station or its converter, or replace that converter",
        "延长该站或其转换器的 DE 保持时间，或更换转换器",
    ),
    "leading": (
        "noise stands before or after good replies: the idle line floats",
        "正常应答前后有杂散字节：空闲时总线悬浮",
        "add bias resistors (A up, B down) at one place; connect the signal grounds",
        "在一处加偏置电阻（A 上拉、B 下拉），并连接信号地",
    ),
    "late": (
        "replies come after the time they were waited for",
        "应答晚于等待时间",
        "raise reply_timeout_ms of this bus above the time shown",
        "将该总线的 reply_timeout_ms 调到大于所示时间",
    ),
    "double": (
        "two replies came to one request: two stations have the same number",
        "一次请求收到两个应答：两台设备站号相同",
        "disconnect one of them and give it another number: carbontally meter ... set-station",
        "断开其中一台并改站号：carbontally meter ... set-station",
    ),
    "noise_grows": (
        "long replies are damaged more often than short ones: noise or a missing terminator",
        "长应答比短应答更易出错：干扰或缺终端电阻",
        "put 120 ohm at both ends and nowhere else; keep away from power cables; lower the baud",
        "总线两端各接 120 欧且仅在两端；远离动力电缆；降低波特率",
    ),
    "one_damaged": (
        "only some stations' replies are damaged: their wiring, or a shared number",
        "仅部分站点应答出错：该站接线问题或站号重复",
        "check the terminals and the stub of these stations; unplug one and ask again",
        "检查这些站点的端子和分支线；拔下一台再试",
    ),
    "wrong_settings": (
        "what answers cannot be read: another baud rate or format",
        "应答无法解读：波特率或格式不符",
        "run `carbontally scan` to find the setting it talks at",
        "运行 `carbontally scan` 查找其通信设置",
    ),
    "damaged": (
        "replies are damaged now and then",
        "应答偶有损坏",
        "check terminators, shield and grounds; then run doctor again with more rounds",
        "检查终端电阻、屏蔽和接地；增加 --rounds 再次诊断",
    ),
    "strangers": (
        "frames arrived that answer no request: a station answers for another number",
        "收到与请求不符的帧：有站点以其他站号应答",
        "check the station numbers; look for a second master that polls now and then",
        "核对各站号；检查是否有偶尔轮询的第二个主站",
    ),
    "all_silent": (
        "no station answers at all",
        "所有站点均无应答",
        "swap A and B; check power, the ground wire and the adapter; then run `carbontally scan`",
        "对调 A、B；检查供电、地线和转换器；再运行 `carbontally scan`",
    ),
    "one_silent": (
        "some stations never answer while others do",
        "部分站点从不应答，其余正常",
        "check power, number and setting of the silent ones; behind a break all are silent",
        "检查无应答站点的供电、站号和设置；断线之后的站点都会无应答",
    ),
    "unsteady": (
        "stations answer, but not every time",
        "站点应答不稳定",
        "check loose terminals and the supply; lengthen the rest between requests (gap_ms)",
        "检查端子松动和供电；加大请求间隔（gap_ms）",
    ),
    "usb_latency": (
        "the USB adapter holds every reply back for its latency timer",
        "USB 转换器的延迟定时器使每个应答变慢",
        "set it to 1 ms: `echo 1 | sudo tee FILE`, FILE as shown; a udev rule keeps it",
        "设为 1 毫秒：`echo 1 | sudo tee 文件`（见上）；用 udev 规则固化",
    ),
    "mini_uart": (
        "this is the mini UART: no parity, and its baud rate follows the core clock",
        "这是 mini UART：不支持校验，波特率随核心频率变化",
        "add `dtoverlay=disable-bt` to /boot/firmware/config.txt and use /dev/serial0 (PL011)",
        "在 /boot/firmware/config.txt 加 `dtoverlay=disable-bt`，改用 /dev/serial0（PL011）",
    ),
    "healthy": (
        "the bus is healthy",
        "总线正常",
        "nothing to do",
        "无需处理",
    ),
}


def cause_text(cause: str, language: str) -> tuple[str, str]:
    """(what it is, what to do next) in "en" or "zh"."""
    english, chinese, next_en, next_zh = CAUSES[cause]
    return (chinese, next_zh) if language == "zh" else (english, next_en)
