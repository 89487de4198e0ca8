#include "CQhull.h"
