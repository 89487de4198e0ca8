// zlib.
#ifndef COSTATE_CZLIB_H
#define COSTATE_CZLIB_H
#include <zlib.h>
#endif
