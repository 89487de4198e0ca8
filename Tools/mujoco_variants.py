"""Small models, one per feature, that the robot files do not exercise."""

from dataclasses import dataclass, field


@dataclass
class Variant:
    xml: str
    dynamic: bool = True
    files: dict = field(default_factory=dict)


VARIANTS = {}


def _add(name, xml, **options):
    VARIANTS[name] = Variant(xml.strip() + "\n", **options)
