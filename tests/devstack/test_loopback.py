from urllib.request import proxy_bypass_environment

from devstack import loopback


def spared(**environment):
    loopback.spare(environment)
    return environment


def test_loopback_is_added_to_what_both_spellings_hold():
    environment = spared(NO_PROXY="corp.example, 10.0.0.1", no_proxy="localhost")
    assert environment["no_proxy"] == environment["NO_PROXY"] == "corp.example,10.0.0.1,localhost,127.0.0.1"


def test_everything_past_the_proxy_stays_everything():
    environment = spared(no_proxy="*")
    assert proxy_bypass_environment("corp.example", {"no": environment["no_proxy"]})


def test_twice_is_once():
    once = spared()
    assert spared(**once) == once
