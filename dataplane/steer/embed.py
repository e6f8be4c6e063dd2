#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Writes a file's octets as the C array of object.h: embed.py OBJECT OUTPUT."""
import sys

data = open(sys.argv[1], "rb").read()
with open(sys.argv[2], "w") as out:
    out.write("// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only\n")
    out.write('#include "object.h"\n\n')
    out.write("_Alignas(8) const unsigned char steer_object[] = {\n")
    for i in range(0, len(data), 16):
        out.write("\t" + ", ".join("0x%02x" % b for b in data[i : i + 16]) + ",\n")
    out.write("};\nconst size_t steer_object_len = sizeof(steer_object);\n")
