"""The words of `carbontally scan`: name -> English, Chinese."""

from edge.app.cli.bus import language

TEXTS = {
    "plan": (
        "{probes} addresses x settings to ask, at most {time} if none answers later than"
        " {wait_ms} ms",
        "共需询问 {probes} 个（地址 x 线路设置）；若应答均不晚于 {wait_ms} 毫秒，最多 {time}",
    ),
    "found": (
        "station {station} at {baud} {format}, answers in {turnaround_ms} ms",
        "站号 {station}：{baud} {format}，{turnaround_ms} 毫秒应答",
    ),
    "naming": (
        "naming {stations} stations, each when it is known: at most {time} if they stay silent"
        " to every question",
        "正在识别 {stations} 个站点，识别一个显示一个；若均不回答，最多 {time}",
    ),
    "is": ("station {station} is {profile}: {why}", "站号 {station} 是 {profile}：{why}"),
    "may_be": ("station {station} may be one of", "站号 {station} 可能是以下之一"),
    "none": (
        "station {station} fits no profile{says}: try carbontally read",
        "站号 {station} 与任何设备档案都不符{says}：请试用 carbontally read",
    ),
    "says": ("; it says {says}", "；它自称 {says}"),
    "done": (
        "{found} stations, {asked} requests, {time}",
        "共 {found} 个站点，{asked} 次请求，用时 {time}",
    ),
    "broken_off": (
        "broken off: not every address was asked",
        "已中断：并非每个地址都询问过",
    ),
    "echo": (
        "the adapter echoes what is sent; carbontally copes with it",
        "转换器会回显所发数据；carbontally 可以应对",
    ),
    "foreign": (
        "another master is polling this bus: stop it and scan again",
        "有另一个主站在轮询此总线：请停止它后重新扫描",
    ),
    "noise": (
        "something unreadable answered {times} times at {baud} {format}: two stations with one"
        " number, or another setting",
        "在 {baud} {format} 下有 {times} 次无法解读的应答：可能两个站点同号，或线路设置不同",
    ),
    "next": ("next: carbontally doctor {port}", "下一步：carbontally doctor {port}"),
    "says_so": ("it says so", "它自称如此"),
    "vendor_says_so": ("it names this vendor", "它自称是该厂商"),
    "sunspec": ("SunSpec, models", "SunSpec，模型"),
    "register": ("identification register reads", "识别寄存器读数为"),
    "plausible": ("plausible values", "数值合理："),
}


def told(name: str, **fields: object) -> str:
    """A text in the language of whoever asks."""
    return TEXTS[name][language() == "zh"].format(**fields)
