"""Images are named after their inputs; nothing of the build machine is among them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from ansible.module_utils.images import ImageError, PackageAccess, Recipe, forget_this_machine, pip_conf

CONFIGURED = """:env:.cert='/etc/ssl/own.crt'
:env:.index-url='https://mirror.test/simple'
global.index-url='https://other.test/simple'
global.extra-index-url='file:///opt/packages/simple https://more.test/simple'
global.find-links='/opt/wheels'
install.user='true'
"""


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    (tmp_path / "services" / "__pycache__").mkdir(parents=True)
    (tmp_path / "services" / "__pycache__" / "a.pyc").write_text("cache")
    (tmp_path / "services" / "web" / "node_modules" / "react").mkdir(parents=True)
    (tmp_path / "services" / "web" / "node_modules" / "react" / "index.js").write_text("cache")
    (tmp_path / "services" / "a.py").write_text("a = 1\n")
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    (tmp_path / "README.md").write_text("text\n")
    return Recipe("image", tmp_path, "Dockerfile", ["services"])


def test_an_unchanged_tree_keeps_its_name(recipe: Recipe) -> None:
    before = recipe.reference()
    (recipe.root / "README.md").write_text("other text\n")
    (recipe.root / "services" / "__pycache__" / "a.pyc").write_text("newer cache")
    (recipe.root / "services" / "a.py").touch()
    assert recipe.reference() == before


def test_whatever_enters_the_build_changes_the_name(recipe: Recipe) -> None:
    names = {recipe.reference(), replace(recipe, arguments={"BASE": "other"}).reference()}
    (recipe.root / "services" / "a.py").write_text("a = 2\n")
    names.add(recipe.reference())
    (recipe.root / "services" / "a.py").rename(recipe.root / "services" / "b.py")
    names.add(recipe.reference())
    (recipe.root / "services" / "b.py").chmod(0o755)
    names.add(recipe.reference())
    (recipe.root / "Dockerfile").write_text("FROM scratch\nUSER 1\n")
    names.add(recipe.reference())
    assert len(names) == 6


def test_the_context_holds_the_inputs_and_nothing_else(
    recipe: Recipe, tmp_path_factory: pytest.TempPathFactory
) -> None:
    context = tmp_path_factory.mktemp("context")
    recipe.assemble(context)
    assert sorted(str(file.relative_to(context)) for file in context.rglob("*") if file.is_file()) == [
        "Dockerfile",
        "services/a.py",
    ]
    assert replace(recipe, root=context).digest() == recipe.digest()


def test_an_input_that_is_missing_is_named(recipe: Recipe) -> None:
    with pytest.raises(ImageError, match="input LICENSE does not exist"):
        replace(recipe, inputs=["LICENSE"]).digest()


def test_pip_is_told_where_packages_are_and_nothing_of_this_machine() -> None:
    assert pip_conf(CONFIGURED, ca=True) == (
        "[global]\n"
        "index-url = https://mirror.test/simple\n"
        "extra-index-url = https://more.test/simple\n"
        "cert = /run/secrets/ca\n"
    )


def test_secrets_of_the_build_are_files_beside_the_context(tmp_path: Path) -> None:
    access = PackageAccess("", "registry=https://own.test/npm\n", Path("/etc/ssl/own.crt"), "http://proxy.test:3128")
    secrets = access.write_secrets(tmp_path)
    assert secrets["ca"] == Path("/etc/ssl/own.crt")
    assert 'Proxy "http://proxy.test:3128"' in secrets["apt"].read_text()
    assert secrets["npm"].read_text() == "registry=https://own.test/npm\ncafile=/run/secrets/ca\n"
    assert PackageAccess().write_secrets(tmp_path).keys() == {"pip", "npm", "apt"}


def test_a_bootstrapped_debian_forgets_where_it_was_made(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "resolv.conf").write_text("nameserver 192.0.2.1\n")
    (tmp_path / "usr" / "share" / "doc" / "bash").mkdir(parents=True)
    forget_this_machine(tmp_path)
    assert not (tmp_path / "etc" / "resolv.conf").exists()
    assert list((tmp_path / "usr" / "share" / "doc").iterdir()) == []


def test_the_roles_recipes_name_what_exists(root: Path) -> None:
    recipes = yaml.safe_load((root / "roles" / "images" / "vars" / "main.yml").read_text())["images_recipes"]
    for one in recipes:
        files = Recipe(one["name"], root, one["dockerfile"], one["inputs"]).files()
        assert Path(one["dockerfile"]) in files
        assert not [file for file in files if "tests" in file.parts]


def test_secrets_of_the_build_never_enter_a_layer(root: Path) -> None:
    for dockerfile in (root / "deploy" / "images").glob("*/Dockerfile"):
        text = dockerfile.read_text()
        assert "USER 10001:10001" in text or dockerfile.parent.name == "base"
        assert "COPY . " not in text
        assert "id=ca," not in text, "the bundle is mounted at its default place only"
