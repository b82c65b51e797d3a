"""Worked examples of carbonates, processes, steam and standard coal, as decimal text.

They repeat `tests/data/carbon_vectors.json`, where each one has its source; a test in
`tests/property` keeps the two equal. EXACT holds the results as rationals in lowest terms.
"""

# id -> (inputs, expected value, tolerance)
VECTORS = {
    "CN-TCE-ELEC": (
        {"kJ_per_kWh": "3600", "kJ_per_kgce": "29307.6"},
        "0.1229",
        "0.0001",
    ),
    "CN-TCE-HEAT": (
        {"kJ_per_MJ": "1000", "kJ_per_kgce": "29307.6"},
        "0.03412",
        "0.000005",
    ),
    "GBT-PAR-001T": (
        {"p_MPa": "1.75", "p1": "1.70", "T1": "204.3", "p2": "1.80", "T2": "207.1"},
        "205.7",
        "0.0000001",
    ),
    "GBT-PAR-001H": (
        {"p_MPa": "1.75", "h1": "2793.8", "h2": "2795.1"},
        "2794.45",
        "0.0000001",
    ),
    "GBT-C2-CaCO3": (
        {"carbonate": "CaCO3"},
        "0.440",
        "0.0011",
    ),
    "GBT-C2-MgCO3": (
        {"carbonate": "MgCO3"},
        "0.522",
        "0.0011",
    ),
    "GBT-C2-Na2CO3": (
        {"carbonate": "Na2CO3"},
        "0.415",
        "0.0011",
    ),
    "GBT-C2-NaHCO3": (
        {"carbonate": "NaHCO3"},
        "0.524",
        "0.0011",
    ),
    "GBT-C2-MnCO3": (
        {"carbonate": "MnCO3"},
        "0.383",
        "0.0011",
    ),
    "GBT-C2-BaCO3": (
        {"carbonate": "BaCO3"},
        "0.223",
        "0.0011",
    ),
    "GBT-C2-Li2CO3": (
        {"carbonate": "Li2CO3"},
        "0.595",
        "0.0011",
    ),
    "GBT-C2-SrCO3": (
        {"carbonate": "SrCO3"},
        "0.298",
        "0.0011",
    ),
    "GBT-C2-CaMg(CO3)2": (
        {"carbonate": "CaMg(CO3)2"},
        "0.477",
        "0.0011",
    ),
    "IPCC-P-BOF": (
        {"pig_iron_tCO2_t": "1.35", "increment": "0.11"},
        "1.46",
        "0.0000001",
    ),
}

# id -> "numerator/denominator"
EXACT = {
    "CN-TCE-ELEC": "1000/8141",
    "CN-TCE-HEAT": "2500/73269",
    "GBT-PAR-001T": "2057/10",
    "GBT-PAR-001H": "55889/20",
    "GBT-C2-CaCO3": "6287/14298",
    "GBT-C2-MgCO3": "44009/84313",
    "GBT-C2-Na2CO3": "2200450/5299377",
    "GBT-C2-NaHCO3": "4400900/8400577",
    "GBT-C2-MnCO3": "44009/114946",
    "GBT-C2-BaCO3": "44009/197335",
    "GBT-C2-Li2CO3": "44009/73888",
    "GBT-C2-SrCO3": "44009/147628",
    "GBT-C2-CaMg(CO3)2": "88018/184399",
    "IPCC-P-BOF": "73/50",
}
