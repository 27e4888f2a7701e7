"""What an installation writes, what it leaves alone, and what it takes away again."""

import pytest

from controller.configuration.problems import RefusedConfiguration
from controller.installation.errors import InstallationError

CONFIG = "/etc/golive/golive.toml"
HTTP_CONF = "/etc/golive/nginx/http.conf"
DAEMON = "/usr/local/lib/systemd/system/golive.service"


def everything(image):
    """Every file with its content, mode and time of change."""
    found = {}
    for path in image.folder.rglob("*"):
        if path.is_file():
            stat = path.stat()
            found[path] = (path.read_bytes(), stat.st_mode, stat.st_mtime_ns)
    return found


def edit(image, path, old, new):
    at = image.of(path)
    text = at.read_text()
    assert old in text
    at.write_text(text.replace(old, new))


def test_the_second_time_nothing_changes_and_it_says_so(image):
    assert image.install()[-1].endswith("systemctl start golive.target")
    before = everything(image)
    assert image.install() == ["golive 1.0 is installed already: nothing was changed"]
    assert everything(image) == before
    assert image.system.enabled == {"golive.target", "golive-http.socket", "golive-hooks.socket"}


def test_modes(image):
    image.install()
    assert image.of(CONFIG).stat().st_mode & 0o777 == 0o640
    assert image.of("/etc/golive/credentials").stat().st_mode & 0o777 == 0o750
    assert image.of("/usr/local/bin/golive").stat().st_mode & 0o777 == 0o755


def test_edited_files_stay_and_the_new_ones_lie_beside_them(image):
    image.install()
    edit(image, HTTP_CONF, "keepalive_timeout 65s", "keepalive_timeout 5s")
    edited = image.of(HTTP_CONF).read_text()
    edit(image, CONFIG, "# session_budget = 0.0", "session_budget = 90.0")
    assert image.install()[0] == f"kept, because it was edited: {HTTP_CONF}"
    assert image.of(HTTP_CONF).read_text() == edited
    assert "keepalive_timeout 65s" in image.of(HTTP_CONF + ".new").read_text()
    assert "session_budget = 90.0" in image.of(CONFIG).read_text()
    assert not image.of(CONFIG + ".new").exists()


def test_what_the_settings_say_is_what_nginx_and_the_units_get(image, tmp_path):
    image.install()
    assert (
        "CAP_NET_BIND_SERVICE" in image.of(DAEMON.replace("golive.", "golive-nginx.")).read_text()
    )
    edit(image, CONFIG, '# public_http_listen = ["80", "[::]:80"]', 'public_http_listen = ["8080"]')
    edit(image, CONFIG, '# store_url = ""', 'store_url = "file:///mnt/vods"')
    edit(image, CONFIG, '# spool_dir = ""', 'spool_dir = "/mnt/spool"')
    said = image.install()
    assert f"updated: {HTTP_CONF}" in said
    assert "listen 8080;" in image.of(HTTP_CONF).read_text()
    assert 'root "/mnt/vods";' in image.of(HTTP_CONF).read_text()
    assert 'record_path "/mnt/spool"' in image.of("/etc/golive/nginx/rtmp.conf").read_text()
    assert (
        "ReadWritePaths=/var/lib/golive /mnt/spool /mnt/vods /run/golive"
        in image.of(DAEMON).read_text()
    )
    nginx = image.of(DAEMON.replace("golive.", "golive-nginx.")).read_text()
    assert "CAP_NET_BIND_SERVICE" not in nginx
    assert "PrivateUsers=yes" in nginx


def test_a_certificate_brings_https_and_rtmps(image):
    image.install()
    edit(image, CONFIG, '# tls_certificate = ""', 'tls_certificate = "/etc/ssl/golive.pem"')
    edit(image, CONFIG, '# tls_key = ""', 'tls_key = "/etc/ssl/golive.key"')
    with pytest.raises(InstallationError, match="apt-get install libnginx-mod-stream"):
        image.install()
    image.of("/usr/lib/nginx/modules/ngx_stream_module.so").touch()
    image.install()

    http, rtmp = (
        image.of(f"/etc/golive/nginx/{name}.conf").read_text() for name in ("http", "rtmp")
    )
    assert "listen 443 ssl http2;" in http
    assert 'ssl_certificate_key "/etc/ssl/golive.key";' in http
    assert 'load_module "/usr/lib/nginx/modules/ngx_stream_module.so";' in rtmp
    assert "listen [::]:1936 ssl so_keepalive" in rtmp
    assert "listen 127.0.0.1:1937 proxy_protocol;" in rtmp


def test_a_shell_s_own_settings_are_not_the_services(image, monkeypatch):
    monkeypatch.setenv("GOLIVE_DATA_DIR", "/home/me/var")
    image.install()
    assert "/home/me" not in image.of(DAEMON).read_text()


def test_secrets_stay_out_of_what_is_rendered(image):
    image.install()
    image.of("/etc/golive/credentials/s3_secret_access_key").write_text("hush-hush")
    image.of("/etc/golive/credentials/s3_access_key_id").write_text("key-id")
    edit(image, CONFIG, '# store_url = ""', 'store_url = "s3://bucket"')
    image.install()
    for path, (content, _, _) in everything(image).items():
        assert b"hush-hush" not in content or path.parent.name == "credentials"


def test_uninstalling_leaves_settings_credentials_and_data(image):
    image.install()
    data = image.of("/var/lib/golive/golive.db")
    data.parent.mkdir(parents=True, exist_ok=True)
    data.write_text("everything")
    secret = image.of("/etc/golive/credentials/auth_secret")
    secret.write_text("s" * 40)
    edit(image, HTTP_CONF, "keepalive_timeout 65s", "keepalive_timeout 5s")
    said = image.uninstall()
    assert f"kept, because it was edited: {HTTP_CONF}" in said
    assert f"removed: {DAEMON}" in said
    assert "left: /var/lib/golive" in said
    assert data.read_text() == "everything"
    assert secret.exists()
    assert image.of(CONFIG).exists()
    assert not list(image.of("/usr/local/lib").rglob("golive*"))
    assert image.system.enabled == set()
    with pytest.raises(InstallationError, match="not installed"):
        image.uninstall()


def test_after_uninstalling_it_can_be_installed_again_with_the_same_settings(image):
    image.install()
    edit(image, CONFIG, "# session_budget = 0.0", "session_budget = 90.0")
    image.uninstall()
    image.install()
    assert "session_budget = 90.0" in image.of(CONFIG).read_text()
    assert image.of(DAEMON).exists()


# Where it runs


@pytest.fixture
def running(image):
    image.install()
    image.system.runs = True
    image.system.active = {"golive.service"}
    image.system.told.clear()
    return image


def told(image):
    return [words for words in image.system.told if words[0] not in {"users", "folders"}]


def test_an_upgrade_hands_the_daemon_over_and_leaves_alone_what_encoders_are_on(running):
    assert running.install("1.1")[-1] == "golive 1.1 is installed (before: 1.0)"
    assert told(running) == [
        ("restart", "golive-migrate.service"),
        ("hand over", "golive.service"),
        ("try-restart", "golive-worker@*.service"),
    ]


def test_a_changed_unit_of_the_daemon_restarts_it(running):
    edit(running, CONFIG, '# spool_dir = ""', 'spool_dir = "/mnt/spool"')
    running.install()
    assert ("restart", "golive.service") in told(running)
    assert not any(words[0] == "hand over" for words in told(running))


def test_installing_the_same_again_restarts_nothing(running):
    running.install()
    assert told(running) == []


def test_a_changed_http_configuration_is_reloaded(running):
    edit(running, CONFIG, '# public_http_listen = ["80", "[::]:80"]', 'public_http_listen = ["81"]')
    running.install()
    assert told(running) == [("reload", "golive-nginx.service")]


def test_a_changed_rtmp_configuration_waits_for_whoever_is_on_air(running):
    edit(running, CONFIG, '"1935", "[::]:1935"', '"1936"')
    edit(running, CONFIG, "# public_rtmp_listen", "public_rtmp_listen")
    said = running.install()
    assert told(running) == []
    assert any("when no encoder is on air" in line for line in said)


def test_an_upgrade_of_what_does_not_run_starts_nothing(running):
    running.system.active = set()
    running.install("1.1")
    assert told(running) == []


def test_uninstalling_stops_it_first(running):
    running.uninstall()
    first = told(running)[0]
    assert first[:2] == ("stop", "golive.target")
    assert "golive-nginx-rtmp.service" in first


# What is wrong


def test_a_refused_settings_file_is_told_with_its_line_and_nothing_else_is_written(image):
    image.install()
    before = everything(image)
    at = image.of(CONFIG)
    at.write_text("\n\nnonsense = 1\n")
    with pytest.raises(RefusedConfiguration, match=r"golive\.toml:3: nonsense"):
        image.install("2.0")
    at.write_bytes(before[at][0])
    assert {p: c[:2] for p, c in everything(image).items()} == {p: c[:2] for p, c in before.items()}


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ('http_listen = ""', "http_listen must be an address"),
        ('hook_listen = "fd:4"', "hook_listen must be an address"),
        ('data_dir = "/srv/my data"', "data_dir: systemd cannot use"),
        ('spool_dir = "/srv/%n"', "spool_dir: systemd cannot use"),
    ],
)
def test_what_units_cannot_express_is_refused(image, setting, words):
    image.install()
    name = setting.split()[0]
    lines = image.of(CONFIG).read_text().splitlines()
    kept = [line for line in lines if not line.startswith((f"{name} =", f"# {name} ="))]
    image.of(CONFIG).write_text("\n".join([*kept, setting]))
    with pytest.raises(InstallationError, match=words):
        image.install()


def test_a_system_without_nginx_s_module_is_told_what_to_install(image):
    image.of("/usr/lib/nginx/modules/ngx_rtmp_module.so").unlink()
    with pytest.raises(InstallationError, match="apt-get install nginx libnginx-mod-rtmp"):
        image.install()
    assert not image.of(CONFIG).exists()


def test_a_damaged_manifest_is_told(image):
    image.install()
    image.of("/etc/golive/.installed.json").write_text("{")
    with pytest.raises(InstallationError, match="damaged"):
        image.install()
