"""A YAML file of options."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from manyfit.cli.options import Fit
from manyfit.errors import ConfigError


def read_config(path: Path) -> Fit:
    """The options of a YAML file.

    Every value is read as the text that it is, by the type of its option, as a
    flag's is: YAML's own guesses make 0.5 of ``dropout: 0:0.5`` and false of ``target: no``.
    Raises ``ConfigError`` that names the file, and the line where there is one.
    """
    try:
        content = yaml.load(path.read_text(encoding="utf-8-sig"), Loader=_Texts)
    except FileNotFoundError as error:
        raise ConfigError(f"{path}: there is no such config file; check the path") from error
    except IsADirectoryError as error:
        raise ConfigError(f"{path} is a folder; give a YAML file with --config") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8 text ({error}); save it as UTF-8") from error
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror})") from error
    except yaml.MarkedYAMLError as error:
        line = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        what = " ".join(str(part) for part in (error.context, error.problem) if part)
        raise ConfigError(f"{path}{line}: not valid YAML ({what}); write 'option: value' lines") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: not valid YAML ({' '.join(str(error).split())})") from error
    options = Fit.of({} if content is None or content == "" else _without_open(content), str(path))
    if options.config is not None:
        raise ConfigError(f"{path}: a config file cannot name another one; leave 'config' out")
    return options


def _without_open(content: Any) -> Any:
    """Options with nothing after the colon are left open."""
    if not isinstance(content, dict):
        return content
    return {key: value for key, value in content.items() if value not in ("", "null", "~")}


class _Texts(yaml.BaseLoader):
    """Texts, lists and mappings, nothing else is ever built; a key stands once."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key, _ in node.value:
            if key.value in seen:
                raise yaml.MarkedYAMLError(
                    problem=f"{key.value!r} stands here a second time", problem_mark=key.start_mark
                )
            seen.add(str(key.value))
        return super().construct_mapping(node, deep)
