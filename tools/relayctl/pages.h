// SPDX-License-Identifier: BSD-3-Clause
// Help, manual page and shell completion, all written from the table of commands.
#pragma once

#include <stdio.h>

void rctl_page_help(FILE *out);
void rctl_page_version(FILE *out);
void rctl_page_man(FILE *out);	      // for man(1): roff
void rctl_page_completion(FILE *out); // for bash
