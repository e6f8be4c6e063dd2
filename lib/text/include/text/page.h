// SPDX-License-Identifier: BSD-3-Clause
// The main function of the small programs that generate a page of the documentation.
#pragma once

#include <stdio.h>

typedef void (*text_page_fn)(FILE *out);

// Without an argument: prints the page to stdout. With a file name: compares the page with that
// file. Answers the exit status: 0; 1 when the file differs (the command to write it anew is on
// stderr); 2 when something can't be read.
int text_page_main(int argc, char **argv, text_page_fn print);
