"""The shape of the code: who imports whom, what is never used, what a page may hold. Read from the source, so nothing has to run."""

import ast
import re
import subprocess
import sys
import tomllib
from functools import cache
from pathlib import Path
from runpy import run_path
from string import Formatter

import pytest

import clipexplore
from clipexplore import links

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "clipexplore"
APP = [ROOT / "app.py", *sorted((ROOT / "pages").glob("*.py"))]
PRODUCT = [*sorted(PACKAGE.rglob("*.py")), *APP, ROOT / "serve.py"]
PAGES, TEXTS = map(run_path(str(PACKAGE / "ui" / "texts.py")).get, ("PAGES", "TEXTS"))  # without the package, which needs streamlit

# A module imports from the layers above its own, never from its own or from one below.
LAYERS = (
    "errors links door web quota units",
    "vectors storage settings images worker tables trees caption_files machine frames",
    "expression nearest trust recipe schedulers animation entries shelves serving weights devices packing preparing sharing layered safety choosing",
    "coarse names zeroshot projection contrast properties evaluation relevance semantics collection vector_files reading embedder catalog residents downloads convert",
    "lexicon tidy components layout reference pixels clusters batcher pipelines latents fetching",
    "renderer embedded",
    "sources shards shared_search",
    "importing",
    "repair",
    "space indexing",
    "walks",
    "ui",
    "app pages serve __main__",
)
GROUPS = ("models", "collections", "drawing", "maps", "retrieval", "server")  # folders of modules, each with its own layer
LAYER = {name: number for number, names in enumerate(LAYERS) for name in names.split()}

HEAVY = {"torch", "transformers", "diffusers", "umap", "sklearn", "accelerate", "numba"}


def short(path):
    return path.relative_to(ROOT).as_posix()


@cache
def tree(path):
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def unit(path):
    """The name in the table of layers: a module of the package, "ui", "training", "app" or "pages"."""
    parts = path.relative_to(PACKAGE if path.is_relative_to(PACKAGE) else ROOT).parts
    return parts[parts[0] in GROUPS].removesuffix(".py")


def nodes(path, *, run_on_import=False):
    """All nodes of a module; with `run_on_import` those that run when it is imported: not in functions, not for type checkers."""
    waiting = [tree(path)]
    while waiting:
        node = waiting.pop()
        yield node
        if run_on_import and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if run_on_import and isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            waiting += node.orelse
            continue
        waiting += ast.iter_child_nodes(node)


def imports(path, *, run_on_import=False):
    """The absolute names of what a module imports, as `package.module.name`."""
    package = path.parent.relative_to(ROOT).parts
    for node in nodes(path, run_on_import=run_on_import):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = package[: len(package) - node.level + 1] if node.level else ()
            base = ".".join([*start, *([node.module] if node.module else [])])
            yield from (f"{base}.{alias.name}" for alias in node.names)


def own_imports(path):
    """The units of the product that a module imports from."""
    parts = [name.split(".") for name in imports(path) if name.split(".")[0] == "clipexplore"]
    return {names[1 + (names[1] in GROUPS)] for names in parts} - {unit(path)}


def calls(path):
    return [node for node in nodes(path) if isinstance(node, ast.Call)]


def modules(folder):
    return sorted(path.stem for path in folder.glob("*.py") if path.stem != "__init__")


def library():
    """All modules but those of the interface and the recipe, as `name` or `group.name`."""
    return modules(PACKAGE) + [f"{group}.{name}" for group in GROUPS for name in modules(PACKAGE / group)]


# Layers


def test_every_module_has_a_layer():
    assert {*(name.split(".")[-1] for name in library()), "ui", "app", "pages", "serve"} == set(LAYER)
    assert {path.name for path in PACKAGE.iterdir() if path.is_dir() and any(path.glob("*.py"))} == {*GROUPS, "ui", "training"}


@pytest.mark.parametrize("path", [path for path in PRODUCT if unit(path) in LAYER], ids=short)
def test_imports_run_one_way(path):
    public = set(clipexplore.__all__)  # `from clipexplore import Space` is for notebooks; inside, modules are named
    assert not own_imports(path) & public
    wrong = {name for name in own_imports(path) if LAYER.get(name, len(LAYERS)) >= LAYER[unit(path)]}
    assert not wrong, f"{short(path)} may import from the layers above it only, and imports {wrong}"


def test_the_recipe_uses_the_library_and_nobody_uses_the_recipe():
    for path in PRODUCT:
        if unit(path) == "training":
            assert not own_imports(path) & {"ui", "app", "pages"}
        else:
            assert "training" not in own_imports(path), short(path)


def test_only_the_interface_imports_streamlit():
    users = {unit(path) for path in PRODUCT if any(name.split(".")[0] == "streamlit" for name in imports(path))}
    assert users == {"ui", "app", "serve", "pages"}


def test_nothing_is_imported_in_a_circle():
    """Inside the interface and the recipe, where there are no layers."""
    for folder in (PACKAGE / "ui", PACKAGE / "training"):
        name = f"clipexplore.{folder.name}."
        uses = {path.stem: {each.removeprefix(name).split(".")[0] for each in imports(path) if each.startswith(name)} for path in folder.glob("*.py")}
        uses.pop("__init__")
        while free := [module for module, used in uses.items() if not used & set(uses)]:
            for module in free:
                del uses[module]
        assert not uses, f"a circle among {set(uses)}"


# What is imported when


@pytest.mark.parametrize("path", [path for path in PRODUCT if unit(path) != "training"], ids=short)
def test_heavy_imports_are_made_where_they_are_used(path):
    assert not {name.split(".")[0] for name in imports(path, run_on_import=True)} & HEAVY


def test_importing_the_app_imports_nothing_heavy():
    """Also not by way of somebody else's package: the first page is painted before any model is loaded."""
    wanted = sorted({f"clipexplore.{name}" for name in library()} | {name.split(".")[0] for path in APP for name in imports(path)} | {"clipexplore.ui"})
    program = f"import sys, importlib\nfor name in {wanted}: importlib.import_module(name)\nprint(*sorted(set(sys.modules) & {HEAVY}))"
    run = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == ""


def test_importing_the_library_imports_hardly_anything():
    program = "import sys, clipexplore; print(*sorted({name.split('.')[0] for name in sys.modules}))"
    run = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert not set(run.stdout.split()) & (HEAVY | {"numpy", "pandas", "PIL", "streamlit"})


def test_all_public_names_are_there():
    for name in clipexplore.__all__:
        assert getattr(clipexplore, name).__name__ == name
    assert set(clipexplore.__all__) <= set(dir(clipexplore))
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        clipexplore.nothing  # noqa: B018


def test_all_public_names_are_in_the_readme():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert not {name for name in clipexplore.__all__ if not re.search(rf"\b{name}\b", readme)}


# Tests mirror modules


@pytest.mark.parametrize("name", [name for name in library() if name != "errors"])  # which holds no code
def test_every_module_has_its_test(name):
    *group, name = name.split(".")
    assert ROOT.joinpath("tests", *group, f"test_{name.strip('_')}.py").is_file()


@pytest.mark.parametrize("name", modules(PACKAGE / "training"))
def test_every_part_of_the_recipe_has_its_test(name):
    assert (ROOT / "tests" / "training" / f"test_{name.strip('_')}.py").is_file()


@pytest.mark.parametrize("path", [path for path in PRODUCT if path.read_text(encoding="utf-8")], ids=short)
def test_every_module_says_what_it_is(path):
    assert ast.get_docstring(tree(path))


# What is never used

UNSAFE_MODULES = {"pickle", "cPickle", "dill", "joblib", "shelve", "marshal", "requests", "httpx", "urllib.request"}
UNSAFE_CALLS = {"eval", "exec", "torch.load", "os.system", "pd.read_pickle"}
GUESSED = re.compile(r"(transformers|diffusers)\..*\bAuto(?!encoder)")  # classes that a repository chooses by what it says of itself
UNSAFE_ARGUMENTS = {"unsafe_allow_html", "unsafe_allow_javascript", "trust_remote_code", "allow_pickle", "shell"}


@pytest.mark.parametrize("path", PRODUCT, ids=short)
def test_nothing_unsafe_is_used(path):
    imported = {".".join(name.split(".")[:parts]) for name in imports(path) for parts in (1, 2)}
    assert not imported & UNSAFE_MODULES
    assert not [name for name in imports(path) if GUESSED.search(name)]
    allowed = {"torch.load"} if path == PACKAGE / "models" / "convert.py" else set()  # with weights_only=True, in a process of its own
    assert not {ast.unparse(call.func) for call in calls(path)} & (UNSAFE_CALLS - allowed)
    passed = {keyword.arg: ast.unparse(keyword.value) for call in calls(path) for keyword in call.keywords}
    assert not {name for name in UNSAFE_ARGUMENTS & set(passed) if passed[name] != "False"}


def test_the_guard_would_see_them(tmp_path, monkeypatch):
    """Each line alone is enough."""
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    lines = ["import pickle", "from urllib import request", "import urllib.request", "import requests as r", "from transformers import AutoModel", "eval('1')", "torch.load(f)",
             "st.markdown(x, unsafe_allow_html=True)", "A.from_pretrained(x, trust_remote_code=True)", "np.load(f, allow_pickle=flag)"]  # fmt: skip
    for number, line in enumerate(lines):
        (path := tmp_path / f"{number}.py").write_text(line)
        with pytest.raises(AssertionError):
            test_nothing_unsafe_is_used(path)
    (path := tmp_path / "fine.py").write_text("model.eval()\nnp.load(f, allow_pickle=False)\nfrom urllib.parse import urlencode\nfrom diffusers import AutoencoderKL")
    test_nothing_unsafe_is_used(path)


# Pages


def test_the_pages_are_those_of_the_links_and_texts():
    assert set(modules(ROOT / "pages")) == set(links.PAGES) == set(PAGES)


@pytest.mark.parametrize("path", APP, ids=short)
def test_a_page_only_says_what_is_on_it(path):
    kinds = {type(node) for node in nodes(path)}
    assert not kinds & {ast.Try, ast.TryStar, ast.ClassDef, ast.AsyncFunctionDef, ast.While, ast.Global}
    assert {name.split(".")[0] for name in imports(path)} <= {"streamlit", "clipexplore"}  # no arrays, no torch
    callbacks = {ast.unparse(keyword.value) for call in calls(path) for keyword in call.keywords if (keyword.arg or "").startswith("on_")}
    assert {node.name for node in nodes(path) if isinstance(node, ast.FunctionDef)} <= callbacks


@pytest.mark.parametrize("path", APP, ids=short)
def test_a_page_leaves_the_link_to_its_widgets(path):
    """Streamlit reads and writes it for every widget that is bound."""
    assert not {ast.unparse(node) for node in nodes(path) if isinstance(node, ast.Attribute)} & {"st.query_params", "st.context"}


# Texts


def text_calls():
    """Of each call of `text` or `ui.text`: where it is, its key as written, the keys that it may mean and the names of its values."""
    for path in PRODUCT:
        for call in calls(path):
            if ast.unparse(call.func) in ("text", "ui.text") and path.name != "texts.py":
                (key,) = call.args
                keys = composed(key) if isinstance(key, ast.JoinedStr) else {ast.literal_eval(key)}
                yield short(path), ast.unparse(key), keys, {keyword.arg for keyword in call.keywords}


def composed(key):
    """The keys that an f-string can become: what is filled in is a string that stands somewhere in the product."""
    pattern = "".join(re.escape(part.value) if isinstance(part, ast.Constant) else "(.+)" for part in key.values)
    return {known for known in TEXTS if (match := re.fullmatch(pattern, known)) and set(match.groups()) <= strings()}


@cache
def strings():
    return {node.value for path in PRODUCT for node in nodes(path) if isinstance(node, ast.Constant) and isinstance(node.value, str)}


def test_every_text_is_there_and_gets_its_values():
    for where, key, keys, values in text_calls():
        assert keys and keys <= set(TEXTS), f"{where} asks for {key}"
        if len(keys) == 1 and None not in values:  # else it takes more than the source to know
            template = TEXTS[min(keys)] if values else re.sub("`.*?`", "", TEXTS[min(keys)])  # without values, braces may be shown as code
            fields = {name for _, name, _, _ in Formatter().parse(template) if name is not None}
            assert fields == values, f"{where}: {key} takes {fields} and is given {values}"


def test_every_text_is_used():
    assert set(TEXTS) - {key for _, _, keys, _ in text_calls() for key in keys} == set()


def test_pages_say_all_parts():
    for page, says in PAGES.items():
        assert all(part.strip() for name, part in says._asdict().items() if name != "section"), page
        assert says.lead == says.lead.strip() and says.lead.endswith((".", "?")), page


# The shipped configuration


def test_streamlit_is_configured():
    config = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text(encoding="utf-8"))
    assert config["runner"]["postScriptGC"] is False  # a full collection after every run holds all visitors up
    assert config["server"]["fileWatcherType"] == "none"  # watching every module blocks the server for each new visitor
    assert config["server"]["address"] == "127.0.0.1"  # nobody else's machine, unless asked for
    assert config["server"]["maxUploadSize"] == 200
    assert config["client"]["showErrorDetails"] == "none"  # tracebacks are for the log
    assert config["browser"]["gatherUsageStats"] is False


def test_streamlit_knows_every_option():
    """A misspelt one would be ignored with a warning."""
    from streamlit.config import get_config_options

    config = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text(encoding="utf-8"))
    given = {f"{section}.{name}" for section, values in config.items() for name, value in values.items() if not isinstance(value, dict)}
    assert given <= set(get_config_options())
