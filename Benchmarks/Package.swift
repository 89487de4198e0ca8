// swift-tools-version: 6.2
import PackageDescription

let settings: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .enableUpcomingFeature("InternalImportsByDefault"),
]

// Build with the library's own toolset: swift build -c release --toolset ../native.json
let package = Package(
  name: "CostateBenchmarks",
  platforms: [.macOS(.v15)],
  products: [
    .executable(name: "bench-algorithms", targets: ["bench-algorithms"]),
    .executable(name: "bench-autodiff", targets: ["bench-autodiff"]),
    .executable(name: "bench-contact", targets: ["bench-contact"]),
    .executable(name: "bench-chain", targets: ["bench-chain"]),
    .executable(name: "bench-dynamics", targets: ["bench-dynamics"]),
    .executable(name: "bench-equations", targets: ["bench-equations"]),
    .executable(name: "bench-implicit", targets: ["bench-implicit"]),
    .executable(name: "bench-kinematics", targets: ["bench-kinematics"]),
    .executable(name: "bench-linear", targets: ["bench-linear"]),
    .executable(name: "bench-programs", targets: ["bench-programs"]),
    .executable(name: "conformance", targets: ["conformance"]),
  ],
  dependencies: [
    .package(name: "Costate", path: "..")
  ],
  targets: [
    .target(name: "BenchmarkSupport", swiftSettings: settings),
    // The peer in C, compiled as a C programmer would.
    .target(name: "CChain", cSettings: [.unsafeFlags(["-O3", "-march=native"])]),
    .target(
      name: "ChainKernel", dependencies: [.product(name: "Costate", package: "Costate")],
      swiftSettings: settings),
    .executableTarget(
      name: "bench-chain",
      dependencies: [
        "BenchmarkSupport", "CChain", "ChainKernel", .product(name: "Costate", package: "Costate"),
      ],
      swiftSettings: settings),
    .executableTarget(
      name: "bench-algorithms",
      dependencies: ["BenchmarkSupport", .product(name: "Costate", package: "Costate")],
      swiftSettings: settings),
    // OpenBLAS called directly.
    .target(name: "CGemm", linkerSettings: [.linkedLibrary("openblas")]),
    .executableTarget(
      name: "bench-autodiff",
      dependencies: ["BenchmarkSupport", "CGemm", .product(name: "Costate", package: "Costate")],
      swiftSettings: settings),
    .executableTarget(
      name: "bench-contact",
      dependencies: ["BenchmarkSupport", .product(name: "Costate", package: "Costate")],
      swiftSettings: settings),
    .executableTarget(
      name: "bench-dynamics",
      dependencies: ["BenchmarkSupport", .product(name: "Costate", package: "Costate")],
      swiftSettings: settings),
    .executableTarget(
      name: "bench-equations",
      dependencies: [
        "BenchmarkSupport", .product(name: "Costate", package: "Costate"),
        .product(name: "TextFigures", package: "Costate"),
      ],
      swiftSettings: settings),
    .executableTarget(
      name: "bench-implicit",
      dependencies: ["BenchmarkSupport", .product(name: "Costate", package: "Costate")],
      swiftSettings: settings),
    .executableTarget(
      name: "bench-kinematics",
      dependencies: ["BenchmarkSupport", .product(name: "Costate", package: "Costate")],
      swiftSettings: settings),
    .executableTarget(
      name: "bench-linear",
      dependencies: ["BenchmarkSupport", "CGemm", .product(name: "Costate", package: "Costate")],
      swiftSettings: settings),
    .executableTarget(
      name: "bench-programs",
      dependencies: ["BenchmarkSupport", .product(name: "Costate", package: "Costate")],
      swiftSettings: settings),
    .executableTarget(
      name: "conformance",
      dependencies: ["BenchmarkSupport", .product(name: "Costate", package: "Costate")],
      swiftSettings: settings),
  ]
)
