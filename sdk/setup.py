"""What pyproject.toml has no word for: a file that stands beside the packages and is read when Python starts."""

from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py


class BuildWithStart(build_py):
    """Adds atelier_sdk.pth to the top of the wheel; see atelier/early.py."""

    def run(self) -> None:
        """As setuptools does, then our file. An editable installation has none."""
        super().run()
        if not self.editable_mode:
            self.copy_file("atelier_sdk.pth", str(Path(self.build_lib) / "atelier_sdk.pth"))


setup(cmdclass={"build_py": BuildWithStart})
