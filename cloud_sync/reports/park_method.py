"""The method of national zero-carbon parks (发改环资〔2025〕910号, Annex 4) from metered data.

E_park = E_energy + E_process; E_energy = fuel + conversion + electricity + heat. CO2 only.
Signs are those of the streams: what leaves is negative already.
"""

from typing import Any

from cloud_sync.reading.factor_sets import FactorSets
from cloud_sync.reports.explanations import rate_of
from cloud_sync.reports.figures import StreamFigures

SET = "cn_park_910_2025"

#: term -> the kinds of streams in it
TERMS = {
    "fuel": ("fuel",),
    "conversion": ("conversion_input", "conversion_output"),
    "electricity": (
        *("grid_import", "grid_export", "green_direct", "certificate", "pv", "pv_self_use"),
    ),
    "heat": ("heat_import", "heat_export"),
    "process": ("process_output",),
}
ENERGY = ("fuel", "conversion", "electricity", "heat")

#: Measured at the stack: a check of the sum, not a part of it, or fuel would count twice.
OUTSIDE = ("stack_co2",)


def account(streams: list[StreamFigures], basis: str, sets: FactorSets) -> dict[str, Any]:
    """The method's terms in mg, with what keeps them from being the method's figures.

    terms: name -> {"mg", "streams"}; energy_mg, park_mg: the sums; outside_mg: of stacks, None
    without one; foreign: (gateway, stream, factor set) of electricity and heat whose factor is
    not the method's; unknown: (gateway, stream, intervals without a figure).
    """
    terms: dict[str, Any] = {}
    for term, kinds in TERMS.items():
        chosen = [f for f in streams if f.definition.kind in kinds]
        terms[term] = {
            "mg": sum(f.total("emission_mg") for f in chosen),
            "streams": [(f.gateway, f.stream) for f in chosen],
        }
    energy_mg = sum(terms[term]["mg"] for term in ENERGY)
    stacks = [f for f in streams if f.definition.kind in OUTSIDE]
    counted = [f for f in streams if f.definition.scope]
    return {
        "terms": terms,
        "energy_mg": energy_mg,
        "park_mg": energy_mg + terms["process"]["mg"],
        "outside_mg": sum(f.total("emission_mg") for f in stacks) if stacks else None,
        "foreign": [found for f in counted for found in _foreign(f, basis, sets)],
        "unknown": [
            (f.gateway, f.stream, f.total("unknown")) for f in counted if f.total("unknown")
        ],
    }


def _foreign(figures: StreamFigures, basis: str, sets: FactorSets) -> list[tuple[str, str, str]]:
    definition = figures.definition
    if definition.kind not in TERMS["electricity"] + TERMS["heat"]:
        return []
    published = sets.find(rate_of(definition, basis)[3])
    name = "" if published is None else published.parsed.id
    # A site's measured heat goes before the default; its set is not one that ships.
    if name == SET or (not name and definition.kind in TERMS["heat"]):
        return []
    return [(figures.gateway, figures.stream, name or "a set of the site")]
