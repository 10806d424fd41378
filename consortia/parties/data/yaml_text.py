"""YAML as plain text: every scalar is a string, so that ``NO``, ``off`` and ``007`` stay what they look like."""

from typing import Any

import yaml

from consortia.errors import OperatorError


class _TextLoader(yaml.BaseLoader):
    """``BaseLoader`` resolves nothing; aliases and keys that stand twice are refused here."""

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            # PyYAML's stubs leave this method untyped
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.MarkedYAMLError(problem="aliases are not allowed", problem_mark=mark)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.value in seen:
                problem = f"the key `{key.value}` stands twice" if isinstance(key, yaml.ScalarNode) else "no plain key"
                raise yaml.MarkedYAMLError(problem=problem, problem_mark=key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def read_yaml(content: bytes, file: str) -> Any:
    """The tree of dicts, lists and strings in ``content``.

    Raises OperatorError ``data/schema`` with the line if it is no YAML in UTF-8, has an alias or a key twice.
    """
    try:
        # The loader constructs strings, lists and dicts only.
        return yaml.load(content.decode("utf-8-sig"), Loader=_TextLoader)  # noqa: S506
    except UnicodeDecodeError as error:
        raise OperatorError("data/schema", "the file is not UTF-8", place=file, remedy="save it as UTF-8") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise OperatorError(
            "data/schema",
            str(getattr(error, "problem", None) or "this is not YAML"),
            place=f"{file}, line {mark.line + 1}" if mark else file,
            remedy="correct the indentation, the quotes or the key there",
        ) from error
