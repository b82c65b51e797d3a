"""The local journal and the receiver's database. Columns: see `errors.table`."""

ROWS: dict[str, tuple[int, str, str, str, str]] = {
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
        "{file} is not the journal of {expected}: it belongs to {found}",
        "{file} 不是 {expected} 的日志库：它属于 {found}",
        "let gateway.journal name a file of its own, or one that is not there yet; or correct"
        " gateway.id",
        "让 gateway.journal 指向本网关自己的文件或尚不存在的文件；或改正 gateway.id",
    ),
    "store.space": (
        74,
        "the journal {file} has room for {hours} hours ({free} bytes free)",
        "日志库 {file} 的空间只够 {hours} 小时（剩余 {free} 字节）",
        "free space, or bring the cloud back; what is unsent is thinned before it is lost",
        "请清理磁盘空间或恢复云端连接；未发送的数据会先抽稀再丢弃",
    ),
    "store.exposed": (
        74,
        "other users may read the journal {file}",
        "其他用户可以读取日志库 {file}",
        "take their rights away (chmod 600)",
        "收回其权限（chmod 600）",
    ),
    "cloud.open": (
        74,
        "database {file} cannot be opened: {reason}",
        "数据库 {file} 无法打开：{reason}",
        "check path, permissions and version",
        "检查路径、权限和版本",
    ),
    "cloud.read": (
        74,
        "database {file} cannot be read: {reason}",
        "数据库 {file} 无法读取：{reason}",
        "check that it is there and not damaged, then try again",
        "确认数据库存在且未损坏，然后重试",
    ),
    "cloud.write": (
        74,
        "database {file} cannot be written: {reason}",
        "数据库 {file} 无法写入：{reason}",
        "nothing was acknowledged; gateways keep their records and send them again",
        "未确认任何数据；网关会保留记录并重发",
    ),
    "cloud.file": (
        74,
        "file {file} cannot be used: {reason}",
        "文件 {file} 无法使用：{reason}",
        "check path, permissions and room on the disk",
        "检查路径、权限和磁盘空间",
    ),
    "cloud.full": (
        74,
        "no space left for the database {file}",
        "数据库 {file} 没有剩余空间",
        "free space; gateways keep their records and send them again",
        "请清理空间；网关会保留记录并重发",
    ),
}
