"""A board under test. Columns: see `errors.table`."""

ROWS: dict[str, tuple[int, str, str, str, str]] = {
    "hil.port": (
        80,
        "{port} is not the serial port of a board: {reason}",
        "{port} 不是开发板的串口：{reason}",
        "plug the board in and name its port with --port",
        "请接上开发板，并用 --port 指定其串口",
    ),
    "hil.silent": (
        80,
        "nothing on {port} answers as MicroPython within {seconds} s",
        "{port} 在 {seconds} 秒内没有 MicroPython 应答",
        "check the cable, press reset, and flash MicroPython if there is none",
        "检查线缆，按复位键；若没有 MicroPython 固件，请先烧录",
    ),
    "hil.board": (
        80,
        "the board on {port} cannot run the tests: {reason}",
        "{port} 上的开发板无法运行测试：{reason}",
        "flash MicroPython 1.27 or later, and close other programs on the port",
        "烧录 MicroPython 1.27 或更高版本，并关闭占用该串口的其他程序",
    ),
    "hil.compile": (
        65,
        "{file} does not compile for MicroPython: {reason}",
        "{file} 无法为 MicroPython 编译：{reason}",
        "write it in the subset that boards have, see CONTRIBUTING.md",
        "请改用开发板支持的语法子集，见 CONTRIBUTING.md",
    ),
    "hil.line": (
        65,
        "of {reads} reads over {port} {wrong} are not what was served, {lost} replies are lost",
        "经 {port} 的 {reads} 次读取中有 {wrong} 次与总线应答不符，丢失 {lost} 个应答",
        "check A and B, the ground, both terminations, and that --board is wired as its file says",
        "检查 A、B 线、地线和两端终端电阻，并确认接线与 --board 的板文件一致",
    ),
    "hil.start": (
        65,
        "the gateway on the board on {port} brings nothing within {seconds} s: {reason}",
        "{port} 上开发板的网关在 {seconds} 秒内没有送来数据：{reason}",
        "the reason is the last that its console said; check --wifi, --address and the wires",
        "请查看原因（控制台最后的输出），并检查 --wifi、--address 和接线",
    ),
    "hil.gateway": (
        65,
        "of {readings} readings of the board on {port} {wrong} are wrong, {lost} replies are lost",
        "{port} 上开发板的 {readings} 个读数中有 {wrong} 个与总线应答不符，丢失 {lost} 个应答",
        "see whether the line test of hil holds: then it is the program, else the wires",
        "先看 hil 的线路测试是否通过：通过则是程序问题，否则检查接线",
    ),
    "hil.failed": (
        65,
        "{failed} of {count} tests fail on the board on {port}",
        "{port} 上的开发板有 {failed} 项测试失败，共 {count} 项",
        "read their tracebacks with --json",
        "用 --json 查看其回溯信息",
    ),
}
