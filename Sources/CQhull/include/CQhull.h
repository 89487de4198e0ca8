#ifndef COSTATE_CQHULL_H
#define COSTATE_CQHULL_H
#endif
