"""P and Q of `truncated_normal.py`, written by `derive_coefficients.py`; do not edit.

Lowest power of `t = 1 - u*u` first; Q has one more coefficient, its leading 1.
"""

from __future__ import annotations

# Largest relative error of P/Q: 7.86e-8.
FLOAT32_P = (
    float.fromhex("0x1.75d0620000000p-3"),  # 0.1825263649225235
    float.fromhex("0x1.1cae8c0000000p+1"),  # 2.224076747894287
    float.fromhex("0x1.b7ec4a0000000p+2"),  # 6.8737969398498535
    float.fromhex("0x1.42bd9c0000000p+2"),  # 5.04282283782959
    float.fromhex("0x1.a485f60000000p-2"),  # 0.4106672704219818
)
FLOAT32_Q = (
    float.fromhex("0x1.75d0620000000p-4"),  # 0.09126318246126175
    float.fromhex("0x1.44a1160000000p+0"),  # 1.2680829763412476
    float.fromhex("0x1.3531040000000p+2"),  # 4.831116676330566
    float.fromhex("0x1.480e5c0000000p+2"),  # 5.125876426696777
)

# Largest relative error of P/Q: 1.71e-17.
FLOAT64_P = (
    float.fromhex("0x1.a90faa574b7fep-6"),  # 0.025943676327351277
    float.fromhex("0x1.c7c8677ec907bp-1"),  # 0.8902008383052044
    float.fromhex("0x1.88d60c914c80fp+3"),  # 12.276129039561082
    float.fromhex("0x1.5ebd90d3b72cdp+6"),  # 87.68512278371345
    float.fromhex("0x1.5dac02aaeefdep+8"),  # 349.6719157060123
    float.fromhex("0x1.890c13027d5e4p+9"),  # 786.094330130782
    float.fromhex("0x1.e28630ec05f59p+9"),  # 965.0483679799173
    float.fromhex("0x1.2c83cb9fdd6e8p+9"),  # 601.0296516257486
    float.fromhex("0x1.4b1bae87f8c0ap+7"),  # 165.55406594192056
    float.fromhex("0x1.e8e042fbcc86fp+3"),  # 15.277375690264504
    float.fromhex("0x1.aa583c4d9f9dcp-3"),  # 0.20817610847366452
)
FLOAT64_Q = (
    float.fromhex("0x1.a90faa574b7fep-7"),  # 0.012971838163675638
    float.fromhex("0x1.de7ec3c254d42p-2"),  # 0.46728044389347556
    float.fromhex("0x1.b4ed5fba166f9p+2"),  # 6.8269881551038845
    float.fromhex("0x1.a239ba095ed69p+5"),  # 52.27818686791108
    float.fromhex("0x1.c615bb5294b24p+7"),  # 227.0424447828783
    float.fromhex("0x1.1beefeec5b479p+9"),  # 567.8671546407414
    float.fromhex("0x1.8faa3aa04dc4cp+9"),  # 799.3299141292314
    float.fromhex("0x1.2a91d6cdb0b23p+9"),  # 597.1393677819036
    float.fromhex("0x1.a95b25112bcd7p+7"),  # 212.67801717433642
    float.fromhex("0x1.d8a6c8f2407fdp+4"),  # 29.54071898107212
)
