"""What was measured, against what was wanted."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Report:
    """Lines of a table; a line with a target says whether it is met."""

    lines: list[tuple[str, str, str, bool]] = field(default_factory=list)

    def fact(self, what: str, figure: str) -> None:
        """Something to know, with no target."""
        self._add(what, figure, "", True)

    def at_least(self, what: str, figure: float, target: float) -> None:
        self._add(what, f"{figure:.3f}", f">= {target:g}", figure >= target)

    def at_most(self, what: str, figure: float, target: float) -> None:
        self._add(what, f"{figure:.3f}", f"<= {target:g}", figure <= target)

    def tell(self) -> int:
        """Print what missed its target once more; the exit code."""
        missed = [line for line in self.lines if not line[3]]
        print("\nall targets met" if not missed else f"\n{len(missed)} missed:")
        for what, figure, target, _met in missed:
            print(f"  {what}: {figure}, wanted {target}")
        return 1 if missed else 0

    def _add(self, what: str, figure: str, target: str, met: bool) -> None:
        self.lines.append((what, figure, target, met))
        print(f"{what:<72} {figure:>12} {target:>10} {'' if met else 'MISSED'}", flush=True)
