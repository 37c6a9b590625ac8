"""The configuration: every mistake is refused with its place, and the environment is understood."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from llm_platform.core.config import Config
from llm_platform.core.config.example import annotated_example
from llm_platform.core.config.file import ConfigError, Problem, effective, load, read

ROOT = Path(__file__).parents[4]
CANARY = "canary-4f1d9b7e2c"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "dev.yaml"


def accept(file: Path, text: str, environment: Mapping[str, str] | None = None) -> Config:
    file.write_text(text)
    return read(file, environment or {}).config


def refuse(file: Path, text: str, environment: Mapping[str, str] | None = None) -> list[Problem]:
    file.write_text(text)
    with pytest.raises(ConfigError) as refused:
        read(file, environment or {})
    return refused.value.problems


def test_nothing_at_all_is_a_configuration() -> None:
    config = load(None, {})
    assert config == Config()
    assert config.providers["echo"].type == "echo"


def test_values_with_a_syntax_of_their_own(file: Path) -> None:
    origins = ["*", "https://a.example", "http://localhost:3000/", "http://[::1]:80", "capacitor://localhost"]
    accept(file, json.dumps({"security": {"cors_origins": origins, "api_key_header": "x-my_Key!"}}))
    for endpoint in ("http://c:4318", "https://c/otlp/", "file:///var/log/spans", ""):
        accept(file, json.dumps({"telemetry": {"endpoint": endpoint}}))


def test_a_default_model_is_only_looked_for_where_the_providers_are_known(file: Path) -> None:
    tls = {"certificate": "/c", "key": "/k", "authority": "/a", "trust_domain": "x"}
    tail = {"tls": tls, "peers": {"head": ["h:1"]}, "routing": {"default_model": "gpt-5"}}
    assert accept(file, json.dumps(tail)).routing.default_model == "gpt-5"
    accept(file, "providers: {x: {models: [gpt-5]}}")  # nobody chose echo


def test_a_default_model_of_disabled_providers_is_told(file: Path) -> None:
    file.write_text("providers: {x: {models: [m], enabled: false}}\nrouting: {default_model: m}")
    assert read(file, {}).notices == ["routing.default_model m is served by disabled providers only"]


def test_an_empty_file_and_empty_sections_mean_the_defaults(file: Path) -> None:
    assert accept(file, "") == Config()
    assert accept(file, "cache:\nrouting:\n") == Config()


def test_a_file_is_read(file: Path) -> None:
    config = accept(
        file,
        """
providers:
  vllm: {type: openai, base_url: "http://vllm:8000/v1", models: {llama: meta-llama/Llama-4}, timeout: 5000}
security: {cors_origins: ["https://app.example"]}
logging: {level: warning}
""",
    )
    assert config.providers["vllm"].models == {"llama": "meta-llama/Llama-4"}
    assert config.security.cors_origins == ["https://app.example"]
    assert list(config.providers) == ["vllm"]


class TestRefusals:
    @pytest.mark.parametrize(
        ("text", "line", "key", "message", "hint"),
        [
            ("cach: {enabled: true}", 1, "cach", "unknown key", "did you mean cache?"),
            ("\ncache:\n  enable: true", 3, "cache.enable", "unknown key", "did you mean enabled?"),
            ("providers:\n  x:\n    tiemout: 5", 3, "providers.x.tiemout", "unknown key", "did you mean timeout?"),
            ("cache: {zzzz: 1}", 1, "cache.zzzz", "unknown key", "known here: enabled, ttl, max_size"),
            ("cache:\n  ttl: soon", 2, "cache.ttl", "must be a whole number, not text", ""),
            ("cache:\n  ttl: '60'", 2, "cache.ttl", "must be a whole number, not text", ""),
            ("cache:\n  ttl: 1.5", 2, "cache.ttl", "must be a whole number, not a fraction", ""),
            ("cache:\n  enabled: 1", 2, "cache.enabled", "must be true or false, not a number", ""),
            ("cache:\n  enabled: yes", 2, "cache.enabled", "must be true or false, not text", ""),
            ("cache:\n  ttl:", 2, "cache.ttl", "must be a whole number, not empty", ""),
            ("cache: 5", 1, "cache", "must be a section of keys, not a number", ""),
            ("cache:\n  ttl: 0", 2, "cache.ttl", "must be greater than 0", ""),
            ("auth:\n  mode: gatway", 2, "auth.mode", "must be one of gateway, client, hybrid",
             "did you mean gateway?"),
            ("security:\n  cors_origins:\n    - https://a\n    - 5", 4, "security.cors_origins[1]",
             "must be text, not a number", ""),
            ("providers:\n  x:\n    models: 5", 3, "providers.x.models",
             "must be a mapping or a list, not a number", ""),
            ("providers:\n  x:\n    models:\n      a: 5", 4, "providers.x.models.a", "must be text, not a number", ""),
            ("tls:\n  key: /k", 1, "tls.certificate", "is required", ""),
            ("cache: {ttl: 1}\ncache: {ttl: 2}", 2, "cache", "given twice, first at {file}:1", ""),
            ("cache:\n  ttl: ${NOPE}", 2, "cache.ttl", "the environment variable NOPE is not set",
             "set it, or give a default: ${NOPE:-…}"),
            ("service:\n  name: ${A+B}", 2, "service.name", "'${A+B}' is not ${VAR} or ${VAR:-default}",
             "write $${ for a plain ${"),
            ("service:\n  name: ${open", 2, "service.name", "'${' is not ${VAR} or ${VAR:-default}",
             "write $${ for a plain ${"),
            ("service: {name: ${A}}", 1, "", "not valid YAML: expected ',' or '}', but got '{'",
             'inside {…} and […] write "${VAR}" in quotes'),
            ("providers:\n  x:\n    base_url: ftp://x", 3, "providers.x.base_url",
             "must begin with https:// (or http:// inside your network)", ""),
            ("peers: {head: ['h:1']}", 1, "tls", "is required when peers are given", ""),
            ("routing:\n  default_model: ech", 2, "routing.default_model", "no provider serves it",
             "did you mean echo?"),
            ("providers: {x: {models: {a: b}}}\nrouting: {default_model: b}", 2, "routing.default_model",
             "no provider serves it", "known here: a"),
            ("routing:\n  default_model: ' echo'", 2, "routing.default_model",
             "must be the name of a model, without blanks", ""),
            ("security:\n  cors_origins:\n    - https://a\n    - b.example", 4, "security.cors_origins[1]",
             "must be * or an origin like https://app.example or http://localhost:3000, without a path", ""),
        ],
    )  # fmt: skip
    def test_a_mistake_is_told_with_its_place_and_a_hint(
        self, file: Path, text: str, line: int, key: str, message: str, hint: str
    ) -> None:
        wanted = Problem(f"{file}:{line}", key, message.replace("{file}", str(file)), hint)
        assert wanted in refuse(file, text)

    @pytest.mark.parametrize(
        ("section", "key", "values"),
        [
            ("routing", "default_model", ["", " ", "a b", "a\tb", "a\x00"]),
            ("security", "api_key_header", ["", "X API Key", "X-Key:", "X-Clé", "X-Key\n", "(x)"]),
            ("security", "cors_origins", ["", "app.example", "https://", "https://*.example", "https://a/b", "null",
                                          "https://a:0", "https://a:99999", "https://a b", "https://münchen.example",
                                          "//a", "https://a?b", "https://u@a"]),
            ("telemetry", "endpoint", ["ftp://c", "c:4318", "http://", "http://c:0", "http://c d", "file://host/x",
                                       "file:x", "http://u:p@c", "http://c?x=1", "grpc://c:4317"]),
        ],
    )  # fmt: skip
    def test_a_value_that_is_none_is_refused(self, file: Path, section: str, key: str, values: list[str]) -> None:
        for value in values:
            (problem,) = refuse(file, json.dumps({section: {key: [value] if key == "cors_origins" else value}}))
            assert problem.where == f"{file}:1", value
            assert problem.key.startswith(f"{section}.{key}"), value

    @pytest.mark.parametrize(
        "url", ["https://", "https://h:0/v1", "https://h:x/v1", "https://u:p@h/v1", "https://h/v1?key=1", "https://h h"]
    )
    def test_a_base_url_is_plain(self, file: Path, url: str) -> None:
        (problem,) = refuse(file, json.dumps({"providers": {"x": {"base_url": url}}}))
        assert problem.key == "providers.x.base_url"

    def test_all_problems_are_told_in_the_order_of_the_file(self, file: Path) -> None:
        problems = refuse(file, "cach: 1\ncache: {ttl: x}\nauth: {mode: y}\nrouting:\n  strategy: ${S}\n")
        assert [problem.where.rpartition(":")[2] for problem in problems] == ["1", "2", "3", "5"]

    @pytest.mark.parametrize("text", ["a: [1", "a: b: c", "\tx: 1", "a: 'open"])
    def test_what_is_not_yaml_is_told_with_its_line(self, file: Path, text: str) -> None:
        (problem,) = refuse(file, text)
        assert problem.where.startswith(f"{file}:")
        assert problem.message.startswith("not valid YAML")

    @pytest.mark.parametrize("text", ["- a\n- b", "just words", "5"])
    def test_a_file_that_is_no_mapping(self, file: Path, text: str) -> None:
        assert refuse(file, text) == [Problem(f"{file}:1", "", "the file must be a mapping of sections")]

    def test_a_file_that_cannot_be_read(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match=r"missing\.yaml: cannot be read: No such file"):
            read(tmp_path / "missing.yaml", {})
        binary = tmp_path / "binary.yaml"
        binary.write_bytes(b"\xff\xfe\x00")
        with pytest.raises(ConfigError, match="is not UTF-8 text"):
            read(binary, {})

    def test_a_refusal_shows_no_value(self, file: Path) -> None:
        text = f"providers: {{x: {{api_key: [{CANARY}], apikey: {CANARY}}}}}\nstores: {{secrets_key: {{a: {CANARY}}}}}"
        assert CANARY not in str(refuse(file, text))


class TestHostileFiles:
    @pytest.mark.case(25)
    def test_aliases_are_refused_before_they_can_grow(self, file: Path) -> None:
        bomb = "a: &a [x, x, x, x, x, x, x, x, x]\n"
        for name, before in zip("bcdefghi", "abcdefgh", strict=True):
            bomb += f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n"
        (problem,) = refuse(file, bomb)
        assert problem.where == f"{file}:2"
        assert "aliases (*a) are not accepted" in problem.message

    @pytest.mark.case(25)
    def test_tags_name_no_code(self, file: Path) -> None:
        problems = refuse(file, "service:\n  name: !!python/object/apply:os.system ['true']")
        assert "!!python/object/apply:os.system is not accepted" in problems[0].message

    @pytest.mark.case(25)
    @pytest.mark.parametrize(
        "template",
        ["{{ 7 * 7 }}", "{% import os %}", "${{ x }}", "$(id)", "`id`", "#{1+1}", "<%= 1 %>", "$VAR", "{0.__class__}"],
    )
    def test_templates_are_text(self, file: Path, template: str) -> None:
        if "${" in template:
            refuse(file, f'service: {{name: "{template}"}}')
        else:
            assert accept(file, f'service: {{name: "{template}"}}').service.name == template

    @pytest.mark.case(25)
    def test_what_a_variable_holds_is_not_read_again(self, file: Path) -> None:
        environment = {"A": "${B}", "B": CANARY, "YAML": "x\nauth: {require_auth_header: false}"}
        assert accept(file, "service: {name: '${A}', replica: '${YAML}'}", environment).service.name == "${B}"
        config = accept(file, "service: {name: '${A}', replica: '${YAML}'}", environment)
        assert config.auth.require_auth_header
        assert config.service.replica == environment["YAML"]

    @pytest.mark.case(27)
    def test_deep_nesting_and_size_are_bounded(self, file: Path) -> None:
        refuse(file, "a: " + "[" * 5000 + "]" * 5000)
        assert "larger than" in refuse(file, "# " + "x" * (1024 * 1024 + 1))[0].message


class TestVariables:
    def test_defaults_and_escapes(self, file: Path) -> None:
        text = "service: {name: '${A:-b}-$${A}', replica: '${E:-default}', version: '${E}'}"
        service = accept(file, text, {"E": ""}).service
        assert (service.name, service.replica, service.version) == ("b-${A}", "default", "")

    def test_a_value_becomes_what_its_key_wants(self, file: Path) -> None:
        text = "cache:\n  enabled: ${ON}\n  ttl: '${TTL:-60}'\nauth:\n  key_cache_seconds: ${S}\nservice:\n  name: ${N}"
        config = accept(file, text, {"ON": "yes", "S": "2.5", "N": "123"})
        assert (config.cache.enabled, config.cache.ttl) == (True, 60)
        assert config.auth.key_cache_seconds == 2.5
        assert config.service.name == "123"

    @pytest.mark.parametrize("key", ["12345", "1e5", "null", "true", "~", "0x10", "[a]", "a: b # c"])
    def test_a_secret_that_looks_like_something_else_stays_text(self, file: Path, key: str) -> None:
        provider = accept(file, "providers:\n  x:\n    api_key: ${KEY}", {"KEY": key}).providers["x"]
        assert provider.api_key is not None
        assert provider.api_key.get_secret_value() == key


class TestEnvironment:
    @pytest.mark.parametrize(
        ("name", "value", "section", "key", "meant"),
        [
            ("GATEWAY_PORT", "9000", "listen", "http", 9000),
            ("CACHE_ENABLED", "true", "cache", "enabled", True),
            ("RATE_LIMITING_ENABLED", "false", "security", "rate_limiting_enabled", False),
            ("CORS_ENABLED", "0", "security", "cors_enabled", False),
            ("MAX_CONCURRENT_REQUESTS", "7", "traffic", "max_concurrent_requests", 7),
            ("REQUEST_TIMEOUT", "1500", "traffic", "request_timeout", 1500),
            ("STREAM_MAX_SECONDS", "60", "traffic", "drain_seconds", 60),
            ("SERVICE_NAME", "x", "service", "name", "x"),
            ("SERVICE_VERSION", "1.2.3", "service", "version", "1.2.3"),
            ("PLATFORM_ENV", "prod", "service", "environment", "prod"),
            ("DATABASE_URL", "sqlite:///x", "stores", "ledger_url", "sqlite:///x"),
            ("DATABASE_URL", "sqlite:///x", "stores", "accounts_url", "sqlite:///x"),
            ("OTEL_ENABLED", "1", "telemetry", "enabled", True),
            ("OTEL_SERVICE_NAME", "n", "telemetry", "service_name", "n"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4318", "telemetry", "endpoint", "http://c:4318"),
            ("TELEMETRY_ENDPOINT", "http://c:4318", "telemetry", "endpoint", "http://c:4318"),
        ],
    )
    def test_the_contracts_variables(self, name: str, value: str, section: str, key: str, meant: object) -> None:
        assert getattr(getattr(read(None, {name: value}).config, section), key) == meant

    def test_the_environment_wins_over_the_file_and_empty_means_unset(self, file: Path) -> None:
        text = "traffic: {request_timeout: 1}"
        assert accept(file, text, {"REQUEST_TIMEOUT": "2"}).traffic.request_timeout == 2
        assert accept(file, text, {"REQUEST_TIMEOUT": ""}).traffic.request_timeout == 1

    def test_a_wrong_value_names_the_variable(self) -> None:
        with pytest.raises(ConfigError) as refused:
            load(None, {"REQUEST_TIMEOUT": "soon", "PLATFORM_ENV": "production"})
        assert [str(problem) for problem in refused.value.problems] == [
            "environment variable PLATFORM_ENV: service.environment: must be one of dev, staging, prod",
            "environment variable REQUEST_TIMEOUT: traffic.request_timeout: must be a whole number, not text",
        ]

    def test_the_gateways_port_is_not_the_tails(self, file: Path) -> None:
        assert accept(file, "service: {name: tail}\nlisten: {http: 8000}", {"GATEWAY_PORT": "9000"}).listen.http == 8000

    def test_a_drain_limit_of_the_file_stays(self, file: Path) -> None:
        config = accept(file, "traffic: {drain_seconds: 5}", {"STREAM_MAX_SECONDS": "60"})
        assert (config.traffic.stream_max_seconds, config.traffic.drain_seconds) == (60, 5)

    def test_a_providers_key_is_enough_to_add_it(self) -> None:
        config = load(None, {"OPENAI_API_KEY": CANARY})
        assert list(config.providers) == ["echo", "openai"]
        openai = config.providers["openai"]
        assert openai.api_key is not None
        assert openai.api_key.get_secret_value() == CANARY
        assert "gpt-4o" in openai.models

    def test_a_key_completes_a_provider_of_the_file(self, file: Path) -> None:
        text = "providers: {google: {base_url: 'https://g/v1', models: [m], enabled: false}}"
        google = accept(file, text, {"GOOGLE_API_KEY": CANARY}).providers["google"]
        assert google.api_key is not None
        assert not google.enabled

    @pytest.mark.parametrize(
        "name",
        ["RUVECTOR_SERVICE_URL", "RUVECTOR_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY", "GOOGLE_API_KEY",
         "META_API_KEY"],
    )  # fmt: skip
    def test_what_has_no_effect_is_said(self, name: str) -> None:
        notices = read(None, {name: CANARY}).notices
        assert len(notices) == 1
        assert name in notices[0]
        assert "no effect" in notices[0]
        assert CANARY not in notices[0]
        with pytest.warns(UserWarning, match=name):
            load(None, {name: "x"})

    def test_vault_is_configured_by_its_variables(self) -> None:
        given = {"VAULT_ADDR": "https://vault:8200", "VAULT_ROLE_ID": "role", "VAULT_SECRET_ID": CANARY}
        config = load(None, given)
        assert config.vault is not None
        assert (config.vault.address, config.vault.role_id) == ("https://vault:8200", "role")
        assert CANARY not in f"{config!r}{effective(config)}"
        assert read(None, given | {"VAULT_ADDR": "http://vault:8200"}).notices == [
            "vault.address is http: secrets travel unencrypted"
        ]

    def test_an_open_entry_and_a_short_drain_are_said_loudly(self, file: Path) -> None:
        file.write_text("auth: {require_auth_header: false}\ntraffic: {drain_seconds: 1}")
        first, second = read(file, {}).notices
        assert "ANYONE" in first
        assert "a stop may cut streams" in second


def test_the_url_of_the_limits_store_is_a_secret(file: Path) -> None:
    url = f"rediss://:{CANARY}@redis.internal:6380/1"
    config = load(None, {"REDIS_URL": url})
    assert config.stores.limits_url is not None
    assert config.stores.limits_url.get_secret_value() == url
    assert CANARY not in f"{config!r}{effective(config)}"


@pytest.mark.parametrize(
    "url", ["http://x", "redis://", "redis://x:99999", "redis://x?ssl_cert_reqs=none", "redis://x/a", "redis://a b"]
)
def test_an_odd_url_of_the_limits_store_is_refused_and_not_shown(file: Path, url: str) -> None:
    (problem,) = refuse(file, f"stores:\n  limits_url: '{url}'\n")
    assert (problem.where, problem.key) == (f"{file}:2", "stores.limits_url")
    assert url.removeprefix("redis:") not in str(problem) or url == "redis://"


@pytest.mark.parametrize(
    "login",
    ["", "role_id: r", "secret_id: s", "role_id: r, secret_id: s, secret_id_file: f", "token: t, role_id: r",
     "token: t, secret_id: s"],
)  # fmt: skip
def test_vault_needs_one_way_to_log_in(file: Path, login: str) -> None:
    (problem,) = refuse(file, f"vault: {{address: 'https://v', {login}}}")
    assert problem.key == "vault"


@pytest.mark.parametrize("price", ["-1", "10000000001"])
def test_a_price_that_cannot_be_believed_is_refused_with_its_line(file: Path, price: str) -> None:
    (problem,) = refuse(file, f"billing:\n  prices:\n    openai/x: [1, {price}]\n")
    assert problem.where == f"{file}:3"
    assert problem.key == "billing.prices.openai/x[1]"


def test_the_effective_configuration_shows_everything_but_secrets() -> None:
    config = load(
        None, {"OPENAI_API_KEY": CANARY, "DATABASE_URL": f"postgresql://u:{CANARY}@db/x", "GATEWAY_PORT": "1"}
    )
    shown = effective(config)
    assert CANARY not in json.dumps(shown)
    assert shown["providers"]["openai"]["api_key"] == "[redacted]"
    assert shown["listen"]["http"] == 1
    assert shown["service"]["data_dir"] == ".state"


def test_the_example_is_the_models_own_and_valid() -> None:
    example = ROOT / "config" / "example.yaml"
    assert example.read_text() == annotated_example(), "make it again: llm-gateway config example > config/example.yaml"
    for name in Config.model_fields:
        assert f"\n{name}:" in example.read_text() or f"\n# {name}:" in example.read_text()


@pytest.mark.parametrize("path", sorted((ROOT / "config").glob("*.yaml")), ids=lambda path: path.name)
def test_every_configuration_of_the_repository_is_valid(path: Path) -> None:
    read(path, {"OPENAI_API_KEY": "x"})
