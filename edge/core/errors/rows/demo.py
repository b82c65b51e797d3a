"""The demonstration. Columns: see `errors.table`."""

ROWS: dict[str, tuple[int, str, str, str, str]] = {
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
    "demo.silent": (
        1,
        "{name} has said nothing for {seconds} s: it runs, but is not ready",
        "{name} 已 {seconds} 秒没有输出：进程在运行，但尚未就绪",
        "check that the broker answers and that the machine is not too busy",
        "检查代理是否有响应，以及机器是否过于繁忙",
    ),
    "demo.unjudged": (
        74,
        "there is no verdict: {file} cannot be read: {reason}",
        "没有结论：无法读取 {file}：{reason}",
        "check that the disk has room, and run the demonstration again",
        "检查磁盘是否有空间，然后重新运行演示",
    ),
}
