// Time of Pinocchio's algorithms per configuration, one thread.
//
// usage: pinocchio_dynamics MODEL.txt NAME [repetitions]
//
// MODEL.txt is a model that pinocchio_model.py has written: the algorithms are instantiated here, with the
// alignment of this machine's vectors, and not taken from the library of the Python package.

#include <Eigen/Core>
#include <cmath>
#include <cstring>
#include <functional>
#include <pinocchio/algorithm/aba.hpp>
#include <pinocchio/algorithm/crba.hpp>
#include <pinocchio/algorithm/frames.hpp>
#include <pinocchio/algorithm/jacobian.hpp>
#include <pinocchio/algorithm/kinematics.hpp>
#include <pinocchio/algorithm/rnea-derivatives.hpp>
#include <pinocchio/algorithm/rnea.hpp>
#include <pinocchio/multibody.hpp>
#include <pinocchio/serialization.hpp>
#include <random>
#include <string>
#include <vector>

#include "timing.h"

int main(int argc, char **argv) {
  if (argc < 3) {
    std::fprintf(stderr, "usage: %s MODEL.txt NAME [repetitions]\n", argv[0]);
    return 64;
  }
  int repetitions = argc > 3 ? std::atoi(argv[3]) : 30;
  pinocchio::Model model;
  pinocchio::serialization::loadFromText(model, argv[1]);
  pinocchio::Data data(model);

  constexpr int count = 256;
  std::mt19937 generator(1);
  std::normal_distribution<double> normal;
  std::vector<Eigen::VectorXd> q, v, a;
  for (int k = 0; k < count; k++) {
    Eigen::VectorXd x(model.nq), y(model.nv), z(model.nv);
    for (double &e : x) e = normal(generator);
    for (double &e : y) e = normal(generator);
    for (double &e : z) e = normal(generator);
    q.push_back(x);
    v.push_back(y);
    a.push_back(z);
  }
  if (model.nq != model.nv) {
    std::fprintf(stderr, "only joints with one coordinate are supported\n");
    return 65;
  }

  char labels[500];
  std::snprintf(labels, sizeof labels, "\"model\":\"%s\",\"nv\":%d,\"nframes\":%d", argv[2], int(model.nv),
                int(model.nframes));
  auto measure = [&](const char *name, auto &&body) {
    std::vector<double> ns;
    for (int r = -3; r < repetitions; r++) {
      double begin = now_ns();
      for (int pass = 0; pass < 8; pass++)
        for (int k = 0; k < count; k++) body(k);
      if (r >= 0) ns.push_back((now_ns() - begin) / (8 * count));
    }
    print_timings(name, labels, ns.data(), repetitions);
  };

  measure("rnea", [&](int k) { pinocchio::rnea(model, data, q[k], v[k], a[k]); });
  measure("crba", [&](int k) { pinocchio::crba(model, data, q[k]); });
  measure("aba", [&](int k) { pinocchio::aba(model, data, q[k], v[k], a[k]); });
  measure("rnea_derivatives",
          [&](int k) { pinocchio::computeRNEADerivatives(model, data, q[k], v[k], a[k]); });
  measure("forward_kinematics", [&](int k) { pinocchio::forwardKinematics(model, data, q[k]); });
  measure("frames", [&](int k) { pinocchio::framesForwardKinematics(model, data, q[k]); });
  measure("joint_jacobians", [&](int k) { pinocchio::computeJointJacobians(model, data, q[k]); });
  measure("frames_and_joint_jacobians", [&](int k) {
    pinocchio::computeJointJacobians(model, data, q[k]);
    pinocchio::updateFramePlacements(model, data);
  });
  return 0;
}
