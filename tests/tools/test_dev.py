"""The door: it finds a Python, makes an environment once, repairs a half-made one, and says what to do when it cannot."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tools import dev

HERE = sys.version_info[:2]


ENVIRONMENT = dev.Environment(".venv", HERE, ("-r", "constraints.txt"), "json")


@pytest.fixture(scope="module")
def lasting_folder(tmp_path_factory):
    return tmp_path_factory.mktemp("project")


@pytest.fixture
def real(lasting_folder, monkeypatch):
    """A project that needs nothing but Python, so that its environment is made in earnest without the network."""
    (lasting_folder / "constraints.txt").write_text("# nothing\n", encoding="utf-8")
    monkeypatch.setattr(dev, "ROOT", lasting_folder)
    monkeypatch.setattr(dev, "ENGINES", (ENVIRONMENT,))
    return ENVIRONMENT


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project whose environments are made in name only; `made` lists what was done."""
    (tmp_path / "constraints.txt").write_text("# nothing\n", encoding="utf-8")
    made = []

    def create(environment):
        made.append("create")
        dev.environment_python(environment).parent.mkdir(parents=True, exist_ok=True)
        dev.environment_python(environment).write_text("", encoding="utf-8")
        dev.interrupted_file(environment).unlink(missing_ok=True)

    monkeypatch.setattr(dev, "ROOT", tmp_path)
    monkeypatch.setattr(dev, "ENGINES", (ENVIRONMENT,))
    monkeypatch.setattr(dev, "create", create)
    monkeypatch.setattr(dev, "install", lambda environment: made.append("install"))
    monkeypatch.setattr(dev, "probe", lambda words: (HERE, words[0]))
    return made


def make_ready(environment=ENVIRONMENT):
    dev.environment_python(environment).parent.mkdir(parents=True)
    dev.environment_python(environment).write_text("", encoding="utf-8")
    dev.ready_file(environment).write_text(dev.fingerprint(environment), encoding="utf-8")


def test_an_environment_made_in_earnest_has_a_working_python(real):
    python = dev.ensure(dev.choose_engine())
    assert dev.probe([str(python)])[0] == HERE
    assert dev.is_ready(real)


def test_a_failing_installation_shows_the_error_and_what_to_do(real):
    (dev.ROOT / "broken.txt").write_text("./no-such-package.whl\n", encoding="utf-8")
    with pytest.raises(dev.Problem, match="(?s)could not be installed.*no-such-package.*setup.log"):
        dev.ensure(real._replace(requirements=("-r", "broken.txt")))
    assert not dev.interrupted_file(real).exists()


def test_the_environment_is_made_once_and_found_at_once_afterwards(project, capsys):
    python = dev.ensure(dev.choose_engine())
    assert "Setting up .venv once" in capsys.readouterr().out
    assert dev.ensure(dev.choose_engine()) == python
    assert capsys.readouterr().out == ""
    assert project == ["create", "install"]


def test_other_pins_are_installed_into_the_same_environment(project):
    make_ready()
    (dev.ROOT / "constraints.txt").write_text("numpy==1.26.4\n", encoding="utf-8")
    dev.ensure(ENVIRONMENT)
    assert project == ["install"]


def test_an_interrupted_installation_is_made_anew(project, capsys):
    make_ready()
    dev.ready_file(ENVIRONMENT).unlink()
    dev.interrupted_file(ENVIRONMENT).write_text("", encoding="utf-8")
    dev.ensure(ENVIRONMENT)
    assert "interrupted: making it anew" in capsys.readouterr().out
    assert project == ["create", "install"]


def test_an_environment_whose_python_does_not_start_is_made_anew(project, monkeypatch, capsys):
    make_ready()
    dev.ready_file(ENVIRONMENT).unlink()
    monkeypatch.setattr(dev, "probe", lambda words: "Exec format error")
    dev.ensure(ENVIRONMENT)
    assert "Exec format error" in capsys.readouterr().out
    assert project == ["create", "install"]


def test_packages_that_do_not_load_are_installed_afresh_once_and_then_reported(project, monkeypatch):
    def install(environment):
        project.append("install")
        raise dev.Damaged("import torch: it is broken")

    monkeypatch.setattr(dev, "install", install)
    with pytest.raises(dev.Problem, match="import torch: it is broken"):
        dev.ensure(ENVIRONMENT)
    assert project == ["create", "install", "create", "install"]
    assert not dev.is_ready(ENVIRONMENT)


def test_somebody_elses_environment_is_left_alone(project, monkeypatch):
    make_ready()
    dev.ready_file(ENVIRONMENT).unlink()
    monkeypatch.setattr(dev, "probe", lambda words: ((3, 4), "/usr/bin/python3.4"))
    with pytest.raises(dev.Problem, match="environment of Python 3.4.*Move it away"):
        dev.ensure(ENVIRONMENT)
    assert project == []


@pytest.mark.parametrize(
    ("output", "advice"),
    [
        ("WARNING: Retrying (Retry(total=4)) after connection broken\nERROR: No matching distribution found", "network"),
        ("ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device", "disk is full"),
        ("ERROR: No matching distribution found for bpy==4.5.15", "no build for this computer"),
        ("ERROR: something else", "Run this again"),
    ],
)
def test_advice_fits_what_pip_said(output, advice):
    assert advice in dev.install_advice(output, Path("setup.log"))


def test_a_missing_system_library_is_named_with_the_command_that_brings_it(monkeypatch):
    monkeypatch.setattr(sys, "platform", "linux")
    text = dev.not_loading("import bpy: ImportError: libXi.so.6: cannot open shared object file")
    assert "libXi.so.6" in text and "apt install" in text and "libxi6" in text


def test_the_first_engine_whose_python_exists_is_chosen(monkeypatch, tmp_path):
    monkeypatch.setattr(dev, "ROOT", tmp_path)
    first, second = (dev.Environment(name, version, (), "") for name, version in ((".a", (3, 11)), (".b", (3, 13))))
    monkeypatch.setattr(dev, "ENGINES", (first, second))
    monkeypatch.setattr(dev, "find_python", lambda version, rejected: "python" if version == (3, 13) else None)
    assert dev.choose_engine() == second
    make_ready(first)
    assert dev.choose_engine() == first


def test_without_a_fitting_python_it_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setattr(dev, "ROOT", tmp_path)

    def find_python(version, rejected):
        rejected.append("/usr/bin/python3.11: No module named ensurepip")

    monkeypatch.setattr(dev, "find_python", find_python)
    with pytest.raises(dev.Problem) as problem:
        dev.choose_engine()
    assert "No Python 3.11 or 3.13" in str(problem.value)
    assert "No module named ensurepip" in str(problem.value)
    assert "Install one" in str(problem.value)


def test_this_python_is_found_first(monkeypatch):
    assert next(iter(dev.candidates(HERE))) == [sys.executable]
    found = dev.find_python(HERE, [])
    assert dev.probe([found])[0] == HERE


@pytest.mark.skipif(os.name == "nt", reason="pyenv's places on Windows differ")
def test_pythons_of_pyenv_and_uv_are_looked_for(monkeypatch, tmp_path):
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "pyenv"))
    monkeypatch.setenv("UV_PYTHON_INSTALL_DIR", str(tmp_path / "uv"))
    places = [tmp_path / "pyenv/versions/3.11.9/bin/python3.11", tmp_path / "uv/cpython-3.11.9-linux/bin/python3.11"]
    for place in places:
        place.parent.mkdir(parents=True)
        place.write_text("", encoding="utf-8")
    found = list(dev.candidates((3, 11)))
    assert all([str(place)] in found for place in places)


def test_a_program_that_is_no_python_is_passed_over(tmp_path):
    assert isinstance(dev.probe([str(tmp_path / "nothing")]), str)


def test_tools_run_offline_and_without_the_callers_python_settings(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")
    monkeypatch.setenv("PYTHONHOME", "/elsewhere")
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    environment = dev.clean_environment()
    assert environment["PYTHONPATH"] == str(dev.ROOT)
    assert "PYTHONHOME" not in environment
    assert environment["HF_HUB_OFFLINE"] == "1"
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    assert dev.clean_environment()["HF_HUB_OFFLINE"] == "0"


def test_a_command_runs_where_the_user_is_and_hands_back_its_status(project, monkeypatch, tmp_path):
    calls = []
    make_ready()
    monkeypatch.setattr(subprocess, "call", lambda words, cwd, env: calls.append((words, cwd)) or 3)
    assert dev.main(["generate", "a man", "--seed", "7"]) == 3
    assert calls == [([str(dev.environment_python(ENVIRONMENT)), "-m", "tools.generate", "a man", "--seed", "7"], None)]


def test_tests_run_at_the_root_with_pytests_own_arguments(project, monkeypatch):
    calls = []
    make_ready()
    monkeypatch.setattr(subprocess, "call", lambda words, cwd, env: calls.append((words[2:], cwd)) or 0)
    dev.main(["test", "-k", "packs"])
    assert calls == [(["pytest", "-k", "packs"], dev.ROOT)]


@pytest.mark.parametrize("words", [["--blender", "5.0"], ["--blender=5.0"]])
def test_another_blender_gets_its_own_environment_and_its_own_tests(monkeypatch, words, tmp_path):
    calls = []
    monkeypatch.setattr(dev, "ensure", lambda environment: Path(environment.folder) / "python")
    monkeypatch.setattr(dev, "choose_engine", lambda: dev.ENGINES[0])
    monkeypatch.setattr(subprocess, "call", lambda words, cwd, env: calls.append((words, env["CLIPHEAD_PYTHON"])) or 0)
    dev.main(["test", *words])
    blender, engine = str(Path(".venv-5.0") / "python"), str(Path(".venv") / "python")
    assert calls == [([blender, "-m", "pytest", "tests/blender"], engine)]


@pytest.mark.parametrize(("words", "said"), [(["nothing"], "generate"), (["test", "--blender", "2.79"], "4.5, 5.0, 5.2")])
def test_unknown_words_are_answered_with_the_known_ones(words, said):
    with pytest.raises(dev.Problem, match=said):
        dev.main(words)


def test_every_command_has_its_module():
    for module, _ in dev.COMMANDS.values():
        if module and module.startswith("tools."):
            path = Path(dev.__file__).resolve().parents[1] / module.replace(".", "/")
            assert path.with_suffix(".py").exists() or (path / "__init__.py").exists(), module


def test_training_scripts_are_listed_with_their_purpose(capsys):
    assert dev.main(["train"]) == 0
    assert "head" in capsys.readouterr().out


def test_the_door_needs_the_standard_library_alone_and_old_syntax():
    text = Path(dev.__file__).read_text(encoding="utf-8")
    compile(text, "dev.py", "exec", dont_inherit=True)
    tree = ast.parse(text, feature_version=(3, 8))
    names = {alias.name.split(".")[0] for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module.split(".")[0] for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert names <= set(sys.stdlib_module_names)


@pytest.mark.parametrize("name", ["constraints.txt", "constraints-cp313.txt"])
def test_every_package_is_pinned_to_one_version(name):
    lines = (Path(dev.__file__).resolve().parents[1] / name).read_text(encoding="utf-8").splitlines()
    assert all("==" in line for line in lines if line and not line.startswith("#"))
