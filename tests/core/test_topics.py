from edge.core.sync import topics


def test_topics_are_written_and_read():
    for leaf in (topics.BATCH, topics.ACK, topics.STATE):
        text = topics.topic("wuxi", "gw-1", leaf)
        assert text == "carbontally/v1/wuxi/gw-1/" + leaf
        assert topics.parse_topic(text) == ("wuxi", "gw-1", leaf)


def test_leaves_are_part_of_the_wire():
    assert (topics.BATCH, topics.ACK, topics.STATE) == ("batch", "ack", "state")


def test_wildcards_make_a_subscription():
    assert topics.topic("+", "+", topics.BATCH) == "carbontally/v1/+/+/batch"


def test_topics_that_are_not_ours_are_none():
    for text in (
        "",
        "batch",
        "carbontally/v1/wuxi/gw-1",
        "carbontally/v1/wuxi/gw-1/batch/x",
        "carbontally/v2/wuxi/gw-1/batch",
        "Carbontally/v1/wuxi/gw-1/batch",
        "/carbontally/v1/wuxi/gw-1/batch",
    ):
        assert topics.parse_topic(text) is None, text
