// SPDX-License-Identifier: BSD-3-Clause
#include <stun/attr.h>

const struct stun_attr_info stun_attr_table[STUN_ATTR_COUNT] = {
#define STUN_ATTR_ROW(id, type, min, max, name) [STUN_##id] = {type, min, max, name},
	STUN_ATTRS(STUN_ATTR_ROW)
#undef STUN_ATTR_ROW
};

enum stun_attr stun_attr_find(uint16_t type)
{
	switch (type) {
#define STUN_ATTR_CASE(id, type, min, max, name)                                                   \
	case type:                                                                                 \
		return STUN_##id;
		STUN_ATTRS(STUN_ATTR_CASE)
#undef STUN_ATTR_CASE
	default:
		return STUN_ATTR_COUNT;
	}
}
