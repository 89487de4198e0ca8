// swift-tools-version: 6.2
import PackageDescription

let settings: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .enableUpcomingFeature("InternalImportsByDefault"),
]

let package = Package(
  name: "Costate",
  platforms: [.macOS(.v15)],
  products: [
    .library(name: "Costate", targets: ["Costate"]),
    .executable(name: "costate", targets: ["CostateCommandLine"]),
    // For the benchmarks, which are a package of their own.
    .library(name: "TextFigures", targets: ["TextFigures"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/swiftlang/swift-docc-plugin", from: "1.5.0"),
  ],
  targets: [
    // Vector mathematics in headers, and kernels of shuffles.
    .target(name: "CLanes"),
    // Qhull (Debian: libqhull-dev) behind a small C interface that contains its setjmp error handling.
    .target(name: "CQhull", linkerSettings: [.linkedLibrary("qhull_r")]),
    // OpenBLAS with LAPACKE.
    .systemLibrary(
      name: "COpenBLAS", pkgConfig: "openblas lapacke",
      providers: [.apt(["libopenblas-dev", "liblapacke-dev"]), .brew(["openblas"])]),
    // zlib, for compressed archives.
    .systemLibrary(
      name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"]), .brew(["zlib"])]),
    // KLU and AMD of SuiteSparse (LGPL and BSD).
    .systemLibrary(
      name: "CSuiteSparse", providers: [.apt(["libsuitesparse-dev"]), .brew(["suite-sparse"])]),
    .target(name: "Lanes", dependencies: ["CLanes"], swiftSettings: settings),
    .target(
      name: "LinearAlgebra", dependencies: ["CLanes", "Lanes", "COpenBLAS", "CSuiteSparse"],
      swiftSettings: settings),
    .target(
      name: "Autodiff", dependencies: ["Lanes", "LinearAlgebra", "COpenBLAS", "CZlib"],
      swiftSettings: settings),
    .target(
      name: "LinearSolvers", dependencies: ["Autodiff", "LinearAlgebra", "Lanes", "COpenBLAS"],
      swiftSettings: settings
    ),
    .target(
      name: "ImplicitLayers",
      dependencies: ["LinearSolvers", "Autodiff", "LinearAlgebra", "Lanes", "COpenBLAS"],
      swiftSettings: settings),
    .target(
      name: "DifferentialEquations",
      dependencies: ["Autodiff", "LinearAlgebra", "Lanes"],
      swiftSettings: settings),
    .target(name: "Learning", dependencies: ["Autodiff"], swiftSettings: settings),
    .target(name: "RobotModels", dependencies: ["Lanes", "CQhull"], swiftSettings: settings),
    .target(name: "Kinematics", dependencies: ["RobotModels", "Lanes"], swiftSettings: settings),
    .target(
      name: "RigidBody", dependencies: ["Kinematics", "RobotModels", "Lanes"],
      swiftSettings: settings),
    .target(
      name: "Simulation", dependencies: ["RigidBody", "Kinematics", "RobotModels", "Autodiff", "Lanes"],
      swiftSettings: settings),
    .target(
      name: "Costate",
      dependencies: [
        "Lanes", "LinearAlgebra", "Autodiff", "LinearSolvers", "ImplicitLayers", "DifferentialEquations",
        "Learning",
        "RobotModels", "Kinematics", "RigidBody", "Simulation",
      ],
      swiftSettings: settings),
    // Plots and numbers for a person: of the command line, the examples and the benchmarks, no part of Costate.
    .target(name: "TextFigures", swiftSettings: settings),
    .executableTarget(
      name: "CostateCommandLine",
      dependencies: [
        "Costate", "Autodiff", "TextFigures",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      swiftSettings: settings),
    .executableTarget(
      name: "Quickstart", dependencies: ["Costate"], path: "Examples/Quickstart", swiftSettings: settings),
    .executableTarget(
      name: "TrainPerceptron", dependencies: ["Autodiff", "Learning", "TextFigures"],
      path: "Examples/TrainPerceptron", swiftSettings: settings),
    .executableTarget(
      name: "LotkaVolterra", dependencies: ["Autodiff", "DifferentialEquations", "Learning", "TextFigures"],
      path: "Examples/LotkaVolterra", swiftSettings: settings),
    .executableTarget(
      name: "BouncingBall",
      dependencies: ["Autodiff", "DifferentialEquations", "ImplicitLayers", "TextFigures"],
      path: "Examples/BouncingBall", swiftSettings: settings),
    .executableTarget(
      name: "NeuralEquation", dependencies: ["Autodiff", "DifferentialEquations", "Learning", "TextFigures"],
      path: "Examples/NeuralEquation", swiftSettings: settings),
    .executableTarget(
      name: "PhysicsNeuralEquation",
      dependencies: ["Autodiff", "DifferentialEquations", "Learning", "LinearSolvers", "TextFigures"],
      path: "Examples/PhysicsNeuralEquation", swiftSettings: settings),
    .executableTarget(
      name: "DampedOscillator", dependencies: ["Autodiff", "ImplicitLayers", "Learning", "TextFigures"],
      path: "Examples/DampedOscillator", swiftSettings: settings),
    .executableTarget(
      name: "DeepEquilibrium", dependencies: ["Autodiff", "ImplicitLayers", "Learning", "TextFigures"],
      path: "Examples/DeepEquilibrium", swiftSettings: settings),
    .executableTarget(
      name: "LearnConjugateGradients",
      dependencies: ["Autodiff", "Learning", "LinearAlgebra", "LinearSolvers", "TextFigures"],
      path: "Examples/LearnConjugateGradients", swiftSettings: settings),
    .executableTarget(
      name: "CartpolePolicy", dependencies: ["Costate", "TextFigures"], path: "Examples/CartpolePolicy",
      swiftSettings: settings),

    .target(
      name: "TestSupport", dependencies: ["Costate", "Autodiff", "Lanes"], path: "Tests/Support",
      swiftSettings: settings),
    .testTarget(
      name: "LanesTests", dependencies: ["Lanes", "CLanes", "TestSupport"],
      resources: [.copy("Fixtures")], swiftSettings: settings),
    .testTarget(
      name: "AutodiffTests", dependencies: ["Autodiff", "TestSupport"],
      resources: [.copy("Fixtures")], swiftSettings: settings),
    .testTarget(
      name: "LinearAlgebraTests", dependencies: ["LinearAlgebra", "TestSupport"], swiftSettings: settings),
    .testTarget(
      name: "LinearSolversTests",
      dependencies: ["LinearSolvers", "LinearAlgebra", "Autodiff", "TestSupport"],
      resources: [.copy("Fixtures")], swiftSettings: settings),
    .testTarget(
      name: "ImplicitLayersTests",
      dependencies: ["ImplicitLayers", "LinearSolvers", "LinearAlgebra", "Autodiff", "TestSupport"],
      resources: [.copy("Fixtures")], swiftSettings: settings),
    .testTarget(
      name: "DifferentialEquationsTests",
      dependencies: [
        "DifferentialEquations", "LinearSolvers", "LinearAlgebra", "Autodiff", "Lanes", "TestSupport",
      ],
      resources: [.copy("Fixtures")], swiftSettings: settings),
    .testTarget(
      name: "LearningTests", dependencies: ["Learning", "Autodiff", "TestSupport"], swiftSettings: settings),
    .testTarget(
      name: "RobotModelsTests", dependencies: ["RobotModels", "TestSupport"],
      resources: [.copy("Fixtures")], swiftSettings: settings),
    .testTarget(
      name: "KinematicsTests", dependencies: ["Kinematics", "TestSupport"],
      resources: [.copy("Fixtures")], swiftSettings: settings),
    .testTarget(
      name: "RigidBodyTests", dependencies: ["RigidBody", "TestSupport"],
      resources: [.copy("Fixtures")], swiftSettings: settings),
    .testTarget(
      name: "SimulationTests", dependencies: ["Simulation", "Costate", "TestSupport"], swiftSettings: settings
    ),
    .testTarget(
      name: "CommandLineTests",
      dependencies: ["CostateCommandLine", "Autodiff", "TextFigures", "TestSupport"],
      resources: [.copy("Fixtures")], swiftSettings: settings),
  ]
)
