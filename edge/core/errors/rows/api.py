"""The HTTP API over the receiver's database. Columns: see `errors.table`."""

ROWS: dict[str, tuple[int, str, str, str, str]] = {
    "api.token": (
        69,
        "no valid token came with the request",
        "请求未附有效令牌",
        "send the header Authorization: Bearer TOKEN; `carbontally tokens add` makes one",
        "请发送 Authorization: Bearer TOKEN 头；用 `carbontally tokens add` 生成令牌",
    ),
    "api.not_found": (
        65,
        "there is no {what} here",
        "没有 {what}",
        "look at the list one level up; a token sees its own tenant alone",
        "查看上一级列表；令牌只能看到自己的租户",
    ),
    "api.method": (
        65,
        "{method} is not offered here",
        "此处不支持 {method}",
        "the API is read-only: send GET",
        "API 只读：请使用 GET",
    ),
    "api.bug": (
        1,
        "this is a bug in carbontally",
        "这是 carbontally 的程序错误",
        "report it with the log of `serve`; other requests go on",
        "请附上 `serve` 的日志报告；其他请求不受影响",
    ),
    "api.query": (
        65,
        "parameter {name} does not fit: {reason}",
        "参数 {name} 不合适：{reason}",
        "see /openapi.json for what is allowed",
        "允许的取值见 /openapi.json",
    ),
    "api.accept": (
        65,
        "no format of {found} is offered",
        "不提供 {found} 中的任何格式",
        "accept application/json, application/x-ndjson or text/csv",
        "请接受 application/json、application/x-ndjson 或 text/csv",
    ),
    "api.rate": (
        69,
        "more requests than {per_minute} a minute",
        "请求超过每分钟 {per_minute} 次",
        "wait as long as Retry-After says",
        "按 Retry-After 的时间等待",
    ),
    "api.busy": (
        69,
        "all {most} connections to the database are in use",
        "数据库的全部 {most} 个连接都在使用",
        "try again in a moment; read large ranges one after the other",
        "稍后重试；大范围数据请依次读取",
    ),
    "api.plain": (
        78,
        "the API would send tokens in plain text on {host}",
        "API 将在 {host} 上明文传输令牌",
        "give --cert and --key, or --behind-proxy when a proxy on this machine adds TLS",
        "请提供 --cert 和 --key；若本机代理负责 TLS，请用 --behind-proxy",
    ),
}
