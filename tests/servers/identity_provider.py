"""OpenBao as an OpenID Connect provider, with users and groups."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import requests

from llm_platform.core.config.model import Oidc
from tests.servers.openbao import OpenBao

_PROVIDER = "identity/oidc/provider/default"
PASSWORD = "password of a test"


class IdentityProvider:
    """What the browser and the people in front of it do at the provider."""

    def __init__(self, server: OpenBao, *redirect_uris: str) -> None:
        """The browser may be sent back to ``redirect_uris``."""
        self._server = server
        self._redirect_uris = list(redirect_uris)
        self._token = server.root.token
        self.issuer = f"{server.address}/v1/{_PROVIDER}"
        self._call("POST", "sys/auth/userpass", {"type": "userpass"})
        accessors = self._call("GET", "sys/auth")["data"]
        self._accessor = accessors["userpass/"]["accessor"]
        allowed = f'path "{_PROVIDER}/authorize" {{ capabilities = ["read", "update"] }}'
        self._call("POST", "sys/policies/acl/people", {"policy": allowed})
        template = '{"groups": {{identity.entity.groups.names}}, "preferred_username": {{identity.entity.name}}}'
        self._call("POST", "identity/oidc/scope/profile", {"template": template})
        for client in ("platform", "other"):
            settings = {
                "redirect_uris": self._redirect_uris,
                "assignments": ["allow_all"],
                "id_token_ttl": "10m",
            }
            self._call("POST", f"identity/oidc/client/{client}", settings)
        self._call("POST", _PROVIDER, {"allowed_client_ids": ["*"], "scopes_supported": ["profile"]})

    def settings(self, client: str = "platform", **changes: Any) -> Oidc:
        return Oidc.model_validate(self.section(client) | changes)

    def section(self, client: str = "platform") -> dict[str, Any]:
        """``oidc`` of a configuration file."""
        known = self._call("GET", f"identity/oidc/client/{client}")["data"]
        return {
            "issuer": self.issuer,
            "client_id": known["client_id"],
            "client_secret": known["client_secret"],
            "redirect_uris": self._redirect_uris[:1],
            "scopes": ["openid", "profile"],
            "authority": str(self._server.tls.authority),
            "roles": {"engineers": "developer", "bosses": "owner"},
            "create_users": True,
            "organization": "org_a",
        }

    def add_person(self, name: str, *groups: str) -> None:
        self._call("POST", f"auth/userpass/users/{name}", {"password": PASSWORD, "token_policies": "people"})
        entity = self._call("POST", "identity/entity", {"name": name})["data"]["id"]
        alias = {"name": name, "canonical_id": entity, "mount_accessor": self._accessor}
        self._call("POST", "identity/entity-alias", alias)
        for group in groups:
            self.set_group(group, entity)

    def set_group(self, group: str, *entities: str) -> None:
        self._call("POST", f"identity/group/name/{group}", {"member_entity_ids": list(entities)})

    def sign_in(self, url: str, name: str, **changes: str) -> dict[str, str]:
        """What the browser comes back with: code and state. ``changes``: of the parameters of the address."""
        token = self._call("POST", f"auth/userpass/login/{name}", {"password": PASSWORD})["auth"]["client_token"]
        asked = {key: values[0] for key, values in parse_qs(urlsplit(url).query).items()}
        answer: dict[str, str] = self._call("GET", f"{_PROVIDER}/authorize", asked | changes, token)
        return answer

    def redeem(self, settings: Oidc, code: str, redirect_uri: str, verifier: str) -> str:
        """The ID token for a code, as any client gets it."""
        assert settings.client_secret is not None
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": redirect_uri}
        response = requests.post(
            f"{self.issuer}/token",
            data=form | {"code_verifier": verifier},
            auth=(settings.client_id, settings.client_secret.get_secret_value()),
            verify=str(self._server.tls.authority),
            timeout=10,
        )
        return str(response.json()["id_token"])

    def _call(self, method: str, path: str, content: Any = None, token: str = "") -> Any:
        response = requests.request(
            method,
            f"{self._server.address}/v1/{path}",
            headers={"X-Vault-Token": token or self._token},
            verify=str(self._server.tls.authority),
            timeout=10,
            **({"params": content} if method == "GET" else {"json": content}),
        )
        assert response.ok, response.text
        return response.json() if response.content else {}
