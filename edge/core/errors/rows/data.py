"""Values and packed data out of their limits. Columns: see `errors.table`."""

ROWS: dict[str, tuple[int, str, str, str, str]] = {
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
        "record {seq} cannot be read: {reason}",
        "记录 {seq} 无法解读：{reason}",
        "compare sender and receiver versions; the payload is kept for study",
        "核对收发双方版本；该数据已保留备查",
    ),
    "data.backwards": (
        65,
        "counter {point} went back from {before} to {value}",
        "计数器 {point} 从 {before} 倒退到 {value}",
        "if the meter was exchanged, add a [[swap]]; the value is not counted until then",
        "如更换了电表，请加入 [[swap]]；在此之前该值不计入",
    ),
    "data.jump": (
        65,
        "counter {point} rose from {before} to {value}, more than could flow",
        "计数器 {point} 从 {before} 升到 {value}，超过可能的流量",
        "check the rating in the configuration and the meter; the value is not "
        "counted until it proves true",
        "请核对配置中的额定值和电表；在证实之前该值不计入",
    ),
    "data.glitch": (
        65,
        "counter {point} showed {value} for a moment between {before} and {after}",
        "计数器 {point} 在 {before} 与 {after} 之间短暂显示 {value}",
        "nothing is lost; if it comes again, check the wiring and the meter",
        "没有损失；若再次出现，请检查接线和电表",
    ),
    "data.rollover": (
        65,
        "counter {point} rolled over from {before} to {value} at {modulus}",
        "计数器 {point} 在 {modulus} 处由 {before} 翻转到 {value}",
        "nothing to do; the rollover is counted",
        "无需处理；翻转已计入",
    ),
    "data.surge": (
        65,
        "counter {point} went from {before} to {value}, faster than ever; "
        "three readings agree and it is counted",
        "计数器 {point} 从 {before} 升到 {value}，速度前所未有；三次读数一致，已计入",
        "configure rated_kw or rated for this stream, so that this can be judged",
        "请为该流配置 rated_kw 或 rated，以便判断",
    ),
    "data.reset": (
        65,
        "counter {point} began again at {value} after {before}",
        "计数器 {point} 在 {before} 之后从 {value} 重新开始",
        "if it was reset or exchanged, add a [[swap]] to the configuration; it "
        "is not counted until then",
        "如已清零或更换，请在配置中加入 [[swap]]；在此之前不计入",
    ),
    "data.ratio": (
        65,
        "counter {point} went from {before} to {value}, about {ratio} times",
        "计数器 {point} 从 {before} 变为 {value}，约为 {ratio} 倍",
        "if a transformer ratio was changed, add a [[swap]] to the "
        "configuration; it is not counted until then",
        "如更改了互感器变比，请在配置中加入 [[swap]]；在此之前不计入",
    ),
    "data.level": (
        65,
        "counter {point} stays at {value} after {before}",
        "计数器 {point} 在 {before} 之后停留在 {value}",
        "if the meter was exchanged, add a [[swap]] to the configuration; it "
        "is not counted until then",
        "如更换了电表，请在配置中加入 [[swap]]；在此之前不计入",
    ),
    "data.gap": (
        65,
        "counter {point} was not read for {elapsed_ms} ms, from {before} to {value}",
        "计数器 {point} 有 {elapsed_ms} 毫秒未被读取，从 {before} 到 {value}",
        "nothing is lost: the count catches up; check why the device was silent",
        "没有损失：计数会补上；请检查设备为何无响应",
    ),
    "data.clock": (
        65,
        "the system clock is {state}, not synced",
        "系统时钟为 {state}，未同步",
        "let the system follow a time server (timedatectl); records keep their order meanwhile",
        "让系统与时间服务器同步（timedatectl）；其间记录仍保持顺序",
    ),
}
