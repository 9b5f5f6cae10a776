"""The text of a script, or of a notebook turned into one, and its syntax tree."""

import ast
import symtable
from dataclasses import dataclass
from pathlib import Path

from knock.errors import UserError
from knock.scripts import notebook
from knock.scripts.raised import describe

Definition = ast.FunctionDef | ast.ClassDef


@dataclass(frozen=True)
class Source:
    """A file's text, and its syntax tree."""

    path: Path
    text: str
    tree: ast.Module

    @classmethod
    def read(cls, path: Path) -> "Source":
        """Read a script or a notebook. Raises UserError if it is missing or not Python."""
        try:
            text = notebook.text(path)
        except FileNotFoundError:
            raise UserError(f"no file {path}") from None
        except OSError as error:
            raise UserError(f"cannot read {path}: {error.strerror}") from None
        except (SyntaxError, ValueError) as error:  # ValueError: it is not text
            raise UserError(f"{path} does not run: {describe(error, path)}") from None
        return cls.parse(path, text)

    @classmethod
    def parse(cls, path: Path, text: str) -> "Source":
        """The source of a text, which is or was the content of the file at `path`.

        Raises UserError if it is not Python, or nested more deeply than Python can read.
        """
        try:
            tree = ast.parse(text, str(path))
            symtable.symtable(text, str(path), "exec")  # finds errors that the parser accepts
            return cls(path, text, tree)
        except (
            SyntaxError,
            ValueError,
            RecursionError,
            MemoryError,
        ) as error:  # ValueError: a zero byte
            raise UserError(f"{path} does not run: {describe(error, path)}") from None

    @property
    def bound(self) -> set[str]:
        """Every name that the file defines, methods as `GAN.generate`."""
        table = symtable.symtable(self.text, str(self.path), "exec")
        return {one.get_name() for one in table.get_symbols() if one.is_assigned()} | {
            f"{node.name}.{method.name}"
            for node in self.tree.body
            if isinstance(node, ast.ClassDef)
            for method in methods(node)
        }

    @property
    def definitions(self) -> dict[str, ast.stmt]:
        """Every function and class of the file, methods as `GAN.generate`."""
        own = {node.name: node for node in self.tree.body if isinstance(node, Definition)}
        return {
            **own,
            **{
                f"{name}.{method.name}": method
                for name, node in own.items()
                if isinstance(node, ast.ClassDef)
                for method in methods(node)
            },
        }


def methods(node: ast.ClassDef) -> list[ast.FunctionDef]:
    """The methods of a class, in order."""
    return [one for one in node.body if isinstance(one, ast.FunctionDef)]
