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
}
