import pytest

from controller.checking.nginx_reader import NginxConfigError, read_nginx_config
from controller.checking.nginx_values import address_of_hook, is_local_listen, seconds, size_bytes


def read(tmp_path, text):
    path = tmp_path / "nginx.conf"
    path.write_text(text)
    return read_nginx_config(path)


def test_words_quotes_comments_and_blocks_are_read_as_nginx_reads_them(tmp_path):
    main = read(
        tmp_path,
        "user a; # not; a { directive\n"
        "http {\n  log_format x '$a \\'b\\'' \"c;d\";\n"
        '  location ~ "^/[0-9]{3}$" { root ${dir}/x; }\n}\n',
    )

    (http,) = main.named("http")
    assert [d.name for d in main.block] == ["user", "http"]
    (log,) = http.named("log_format")
    assert (log.words, log.line) == (("x", "$a 'b'", "c;d"), 3)
    (location,) = http.named("location")
    assert location.words == ("~", "^/[0-9]{3}$")
    assert location.block[0].words == ("${dir}/x",)


def test_includes_are_followed_from_the_main_folder(tmp_path):
    (tmp_path / "sites").mkdir()
    for name in ("b", "a"):
        (tmp_path / "sites" / f"{name}.conf").write_text(f"listen {name};")

    main = read(tmp_path, "server { include sites/*.conf; include none/*.conf; }")

    (server,) = main.named("server")
    assert [(d.value, d.file.name) for d in server.block] == [("a", "a.conf"), ("b", "b.conf")]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("http {", "ends in the middle"),
        ("http { } }", "nginx.conf:1: unexpected }"),
        ("user\n;;", "nginx.conf:2: unexpected ;"),
        ("user 'a;", "cannot be read"),
        ("include missing.conf;", "missing.conf does not exist"),
        ("include nginx.conf;", "includes too many files"),
    ],
)
def test_what_nginx_would_not_take_says_where(tmp_path, text, says):
    with pytest.raises(NginxConfigError, match=says):
        read(tmp_path, text)


def test_a_file_that_may_not_be_read_says_so(tmp_path):
    with pytest.raises(NginxConfigError, match="No such file"):
        read_nginx_config(tmp_path / "none.conf")


def test_durations_sizes_and_addresses_mean_what_they_mean_to_nginx():
    assert [seconds(text) for text in ("8s", "500ms", "1m30s", "8", "x")] == [8, 0.5, 90, 8, None]
    assert [size_bytes(text) for text in ("4M", "4m", "512k", "7", "x")] == [
        4 << 20,
        4 << 20,
        512 << 10,
        7,
        None,
    ]
    local = ["127.0.0.1:80", "unix:/x", "[::1]:80", "localhost:80"]
    assert all(map(is_local_listen, local))
    assert not any(map(is_local_listen, ["80", "0.0.0.0:80", "[::]:80", "10.0.0.1:80", "*:80"]))
    assert address_of_hook("http://unix:/run/x.sock:/hooks/publish") == "unix:/run/x.sock"
    assert address_of_hook("http://127.0.0.1:8935/hooks/publish") == "127.0.0.1:8935"
