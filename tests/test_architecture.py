"""The shape of the house, read from its source: who imports whom, what is imported when, what is never used."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import clipexplore
from clipexplore import links

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "clipexplore"
APP = [ROOT / "app.py", *sorted((ROOT / "pages").glob("*.py"))]
LIBRARY = [path for path in sorted(PACKAGE.rglob("*.py")) if path.parts[-2] != "training"]
PRODUCT = [*LIBRARY, *APP]

# The floors of the house, the lowest first: modules and folders of the package. Nothing imports from a floor above its
# own.
FLOORS = (
    "paths language errors links vectors images known reports expression names settings closing jobs access "
    "lessons room server tables",
    "labs maps models sources retrieval batcher cluster",
    "store",
    "points hits banks space",
    "explore draw",
    "ui",
    "app pages serve __main__ __init__",
)
FLOOR = {name: floor for floor, names in enumerate(FLOORS) for name in names.split()}
HEAVY = {"torch", "transformers", "diffusers", "umap", "sklearn", "accelerate", "numba"}


def short(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def room(path: Path) -> str:
    """The module or folder of the package, or of the checkout, that a file belongs to."""
    return path.relative_to(PACKAGE if path.is_relative_to(PACKAGE) else ROOT).parts[0].removesuffix(".py")


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def calls(path: Path) -> list[ast.Call]:
    return [node for node in ast.walk(tree(path)) if isinstance(node, ast.Call)]


def imports(path: Path, *, on_import: bool = False) -> Iterator[str]:
    """The names of what is imported, as `package.module.name`; with `on_import` not what functions and type checkers
    import.
    """
    folder = ".".join(path.parent.relative_to(ROOT).parts) if path.is_relative_to(ROOT) else ""
    waiting: list[ast.AST] = [tree(path)]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(filter(None, [folder if node.level else "", node.module]))
            yield from (f"{base}.{alias.name}" for alias in node.names)
        elif on_import and isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            waiting += node.orelse
        elif not (on_import and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)):
            waiting += ast.iter_child_nodes(node)


def rooms_used(path: Path) -> set[str]:
    return {name.split(".")[1] for name in imports(path) if name.startswith("clipexplore.")}


def test_imports_run_one_way():
    for path in PRODUCT:
        wrong = {name for name in rooms_used(path) if FLOOR[name] > FLOOR[room(path)]}
        assert not wrong, f"{short(path)} imports {wrong} from a floor above its own"


def test_nothing_is_imported_in_a_circle():
    modules = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path for path in LIBRARY
    }
    uses = {
        module: {name if name in modules else name.rpartition(".")[0] for name in imports(path)} & {*modules}
        for module, path in modules.items()
    }
    TopologicalSorter({module: used - {module} for module, used in uses.items()}).prepare()  # raises CycleError


def test_only_the_interface_imports_streamlit():
    users = {room(path) for path in PRODUCT if re.search(r"^\s*(import|from) streamlit", path.read_text("utf-8"), re.M)}
    assert users == {"ui", "app", "pages"}


def test_the_recipe_uses_the_library_and_nobody_uses_the_recipe():
    assert not [short(path) for path in PRODUCT if "training" in rooms_used(path)]
    for path in (PACKAGE / "training").glob("*.py"):
        assert not rooms_used(path) & {"ui"}, short(path)


def test_heavy_imports_are_made_where_they_are_used():
    for path in PRODUCT:
        assert not {name.split(".")[0] for name in imports(path, on_import=True)} & HEAVY, short(path)


@pytest.mark.parametrize(
    ("wanted", "absent"),
    [
        (["clipexplore"], HEAVY | {"numpy", "pandas", "PIL", "streamlit", "clipexplore."}),
        (["clipexplore.ui", "clipexplore.space", "clipexplore.draw.renderer"], HEAVY),
    ],
)
def test_importing_imports_nothing_heavy(wanted, absent):
    """Also not by way of somebody else's package: the first page is painted before any model is loaded."""
    program = f"import sys\nimport {', '.join(wanted)}\nprint(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert not [name for name in run.stdout.split() if name.startswith(tuple(absent))]


def test_public_names_are_there_and_documented():
    documented = "".join(path.read_text("utf-8") for path in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")])
    for name in clipexplore.__all__:
        assert getattr(clipexplore, name).__name__ == name and name in dir(clipexplore)
        assert re.search(rf"\b{name}\b", documented), f"{name} stands neither in the README nor in docs/"
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = clipexplore.nothing


# Folders, links and pictures come from strangers. Nothing below may read code out of data, or go to the network by
# itself.
UNSAFE_MODULES = {"pickle", "cPickle", "dill", "joblib", "shelve", "marshal", "requests", "httpx", "urllib.request"}
UNSAFE_CALLS = {"eval", "exec", "torch.load", "os.system", "pd.read_pickle"}
UNSAFE_ARGUMENTS = {"unsafe_allow_html", "unsafe_allow_javascript", "trust_remote_code", "allow_pickle", "shell"}
CHOSEN_BY_THE_FOLDER = re.compile(r"(transformers|diffusers)\..*\bAuto(?!encoder)")
CONVERTER = PACKAGE / "models" / "convert.py"  # torch.load with weights_only=True, in a process of its own


def unsafe(path: Path) -> set[str]:
    """What a file uses of all that."""
    names = set(imports(path))
    called = {ast.unparse(call.func) for call in calls(path)}
    passed = {each.arg for call in calls(path) for each in call.keywords if ast.unparse(each.value) != "False"}
    return (
        UNSAFE_MODULES & {".".join(name.split(".")[:parts]) for name in names for parts in (1, 2)}
        | {name for name in names if CHOSEN_BY_THE_FOLDER.search(name)}
        | UNSAFE_CALLS & called - ({"torch.load"} if path == CONVERTER else set())
        | UNSAFE_ARGUMENTS & passed
    )


def test_nothing_unsafe_is_used():
    assert {
        short(path): unsafe(path) for path in [*PRODUCT, *(PACKAGE / "training").glob("*.py")] if unsafe(path)
    } == {}


def test_the_ban_would_see_each_of_them(tmp_path):
    def is_seen(line: str) -> bool:
        (path := tmp_path / f"{abs(hash(line))}.py").write_text(line)
        return bool(unsafe(path))

    for line in (
        "import pickle",
        "from urllib import request",
        "import urllib.request",
        "import requests as r",
        "from transformers import AutoModel",
        "eval('1')",
        "torch.load(f)",
        "st.markdown(x, unsafe_allow_html=True)",
        "A.from_pretrained(x, trust_remote_code=True)",
        "np.load(f, allow_pickle=flag)",
    ):
        assert is_seen(line), line
    for line in (
        "model.eval()",
        "np.load(f, allow_pickle=False)",
        "from urllib.parse import urlencode",
        "from diffusers import AutoencoderKL",
    ):
        assert not is_seen(line), line


def test_a_page_only_says_what_is_on_it():
    """One file for each page of the link table; no errors handled, no arrays, no link read by hand, no functions but
    callbacks.
    """
    assert {path.stem for path in APP} == {"app", *links.PAGES}
    for path in APP:
        nodes = list(ast.walk(tree(path)))
        kinds = ast.Try | ast.TryStar | ast.ClassDef | ast.AsyncFunctionDef | ast.While | ast.Global
        assert not [node for node in nodes if isinstance(node, kinds)], short(path)
        assert {name.split(".")[0] for name in imports(path)} <= {"streamlit", "clipexplore"}, short(path)
        attributes = {ast.unparse(node) for node in nodes if isinstance(node, ast.Attribute)}
        assert not attributes & {"st.query_params", "st.context"}, short(path)
        passed = {
            ast.unparse(each.value) for call in calls(path) for each in call.keywords if (each.arg or "")[:3] == "on_"
        }
        functions = {node.name for node in nodes if isinstance(node, ast.FunctionDef)}
        assert functions <= passed | ({"main"} if path.name == "app.py" else set()), short(path)


def test_sentences_can_be_translated():
    """What is filled in stands outside `_()`, which has to see the sentence as it is written."""
    for path in PRODUCT:
        for call in calls(path):
            if ast.unparse(call.func) in ("_", "ngettext"):
                assert all(isinstance(each, ast.Constant) for each in call.args[:1]), (
                    f"{short(path)}: {ast.unparse(call)}"
                )


def test_streamlit_is_configured():
    from streamlit.config import get_config_options

    config = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text(encoding="utf-8"))
    assert config["runner"]["postScriptGC"] is False  # a full collection after every run holds all visitors up
    assert config["server"]["fileWatcherType"] == "none"  # watching every module blocks the server for each new visitor
    assert config["global"]["disableWidgetStateDuplicationWarning"]  # every example would log a stack
    assert config["server"]["address"] == "127.0.0.1"  # nobody else's machine, unless asked for
    assert config["server"]["maxUploadSize"] == 200
    assert config["client"]["showErrorDetails"] == "none"  # tracebacks are for the log
    assert config["browser"]["gatherUsageStats"] is False
    given = {f"{part}.{key}" for part, values in config.items() for key in values if not isinstance(values[key], dict)}
    assert given <= set(get_config_options())  # a misspelt one would be ignored with a warning
