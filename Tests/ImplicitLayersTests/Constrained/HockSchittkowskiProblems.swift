/// Problems of W. Hock and K. Schittkowski, Test Examples for Nonlinear Programming Codes (1981), from their published statements:
/// objective, equations (= 0), inequalities (≥ 0), bounds, start, and the minimum.
struct HockSchittkowskiProblem: Sendable {
  var number: Int
  var start: [Double]
  var objective: String
  var equations: [String] = []
  var inequalities: [String] = []
  var lower: [Double]?
  var upper: [Double]?
  var minimum: Double

  private static let inf = Double.infinity
  private static func repeating(_ x: Double, _ n: Int) -> [Double] { [Double](repeating: x, count: n) }
  private static let rosenbrock = "100*(x2-x1^2)^2+(1-x1)^2"
  private static let sphere5 = ["x1^2+x2^2+x3^2+x4^2+x5^2-10", "x2*x3-5*x4*x5", "x1^3+x2^3+1"]
  private static func power(_ width: String) -> (equations: [String], inequalities: [String]) {
    (
      [
        "1000*sin(-x3-0.25)+1000*sin(-x4-0.25)+894.8-x1", "1000*sin(x3-0.25)+1000*sin(x3-x4-0.25)+894.8-x2",
        "1000*sin(x4-0.25)+1000*sin(x4-x3-0.25)+1294.8",
      ], ["x4-x3+\(width)", "x3-x4+\(width)"]
    )
  }

  static let all: [HockSchittkowskiProblem] = [
    .init(number: 1, start: [-2, 1], objective: rosenbrock, lower: [-inf, -1.5], minimum: 0),
    .init(number: 2, start: [-2, 1], objective: rosenbrock, lower: [-inf, 1.5], minimum: 0.0504261879),
    .init(number: 3, start: [10, 1], objective: "x2+0.00001*(x2-x1)^2", lower: [-inf, 0], minimum: 0),
    .init(number: 4, start: [1.125, 0.125], objective: "(x1+1)^3/3+x2", lower: [1, 0], minimum: 8.0 / 3),
    .init(
      number: 5, start: [0, 0], objective: "sin(x1+x2)+(x1-x2)^2-1.5*x1+2.5*x2+1", lower: [-1.5, -3],
      upper: [4, 3],
      minimum: -1.9132229550),
    .init(number: 6, start: [-1.2, 1], objective: "(1-x1)^2", equations: ["10*(x2-x1^2)"], minimum: 0),
    .init(
      number: 7, start: [2, 2], objective: "log(1+x1^2)-x2", equations: ["(1+x1^2)^2+x2^2-4"],
      minimum: -1.7320508076),
    .init(
      number: 8, start: [2, 1], objective: "0*x1-1", equations: ["x1^2+x2^2-25", "x1*x2-9"], minimum: -1),
    .init(
      number: 9, start: [0, 0], objective: "sin(pi*x1/12)*cos(pi*x2/16)", equations: ["4*x1-3*x2"],
      minimum: -0.5),
    .init(
      number: 10, start: [-10, 10], objective: "x1-x2", inequalities: ["-3*x1^2+2*x1*x2-x2^2+1"], minimum: -1),
    .init(
      number: 11, start: [4.9, 0.1], objective: "(x1-5)^2+x2^2-25", inequalities: ["x2-x1^2"],
      minimum: -8.498464223),
    .init(
      number: 12, start: [0, 0], objective: "0.5*x1^2+x2^2-x1*x2-7*x1-7*x2", inequalities: ["25-4*x1^2-x2^2"],
      minimum: -30),
    .init(
      number: 13, start: [-2, -2], objective: "(x1-2)^2+x2^2", inequalities: ["(1-x1)^3-x2"], lower: [0, 0],
      minimum: 1),
    .init(
      number: 14, start: [2, 2], objective: "(x1-2)^2+(x2-1)^2", equations: ["x1-2*x2+1"],
      inequalities: ["1-0.25*x1^2-x2^2"], minimum: 1.3934649806),
    .init(
      number: 15, start: [-2, 1], objective: rosenbrock, inequalities: ["x1*x2-1", "x1+x2^2"],
      upper: [0.5, inf],
      minimum: 306.5),
    .init(
      number: 16, start: [-2, 1], objective: rosenbrock, inequalities: ["x1+x2^2", "x1^2+x2"],
      lower: [-0.5, -inf],
      upper: [0.5, 1], minimum: 0.25),
    .init(
      number: 17, start: [-2, 1], objective: rosenbrock, inequalities: ["x2^2-x1", "x1^2-x2"],
      lower: [-0.5, -inf],
      upper: [0.5, 1], minimum: 1),
    .init(
      number: 18, start: [2, 2], objective: "0.01*x1^2+x2^2", inequalities: ["x1*x2-25", "x1^2+x2^2-25"],
      lower: [2, 0],
      upper: [50, 50], minimum: 5),
    .init(
      number: 19, start: [20.1, 5.84], objective: "(x1-10)^3+(x2-20)^3",
      inequalities: ["(x1-5)^2+(x2-5)^2-100", "82.81-(x2-5)^2-(x1-6)^2"], lower: [13, 0], upper: [100, 100],
      minimum: -6961.81381),
    .init(
      number: 20, start: [-2, 1], objective: rosenbrock, inequalities: ["x1+x2^2", "x1^2+x2", "x1^2+x2^2-1"],
      lower: [-0.5, -inf], upper: [0.5, inf], minimum: 38.19872981),
    .init(
      number: 21, start: [-1, -1], objective: "0.01*x1^2+x2^2-100", inequalities: ["10*x1-x2-10"],
      lower: [2, -50],
      upper: [50, 50], minimum: -99.96),
    .init(
      number: 22, start: [2, 2], objective: "(x1-2)^2+(x2-1)^2", inequalities: ["2-x1-x2", "x2-x1^2"],
      minimum: 1),
    .init(
      number: 23, start: [3, 1], objective: "x1^2+x2^2",
      inequalities: ["x1+x2-1", "x1^2+x2^2-1", "9*x1^2+x2^2-9", "x1^2-x2", "x2^2-x1"], lower: [-50, -50],
      upper: [50, 50], minimum: 2),
    .init(
      number: 24, start: [1, 0.5], objective: "((x1-3)^2-9)*x2^3/(27*sqrt(3))",
      inequalities: ["x1/sqrt(3)-x2", "x1+sqrt(3)*x2", "6-x1-sqrt(3)*x2"], lower: [0, 0], minimum: -1),
    .init(
      number: 26, start: [-2.6, 2, 2], objective: "(x1-x2)^2+(x2-x3)^4", equations: ["(1+x2^2)*x1+x3^4-3"],
      minimum: 0),
    .init(
      number: 27, start: [2, 2, 2], objective: "0.01*(x1-1)^2+(x2-x1^2)^2", equations: ["x1+x3^2+1"],
      minimum: 0.04),
    .init(
      number: 28, start: [-4, 1, 1], objective: "(x1+x2)^2+(x2+x3)^2", equations: ["x1+2*x2+3*x3-1"],
      minimum: 0),
    .init(
      number: 29, start: [1, 1, 1], objective: "-x1*x2*x3", inequalities: ["48-x1^2-2*x2^2-4*x3^2"],
      minimum: -22.627416998),
    .init(
      number: 30, start: [1, 1, 1], objective: "x1^2+x2^2+x3^2", inequalities: ["x1^2+x2^2-1"],
      lower: [1, -10, -10],
      upper: [10, 10, 10], minimum: 1),
    .init(
      number: 31, start: [1, 1, 1], objective: "9*x1^2+x2^2+9*x3^2", inequalities: ["x1*x2-1"],
      lower: [-10, 1, -10],
      upper: [10, 10, 1], minimum: 6),
    .init(
      number: 32, start: [0.1, 0.7, 0.2], objective: "(x1+3*x2+x3)^2+4*(x1-x2)^2", equations: ["1-x1-x2-x3"],
      inequalities: ["6*x2+4*x3-x1^3-3"], lower: [0, 0, 0], minimum: 1),
    .init(
      number: 33, start: [0, 0, 3], objective: "(x1-1)*(x1-2)*(x1-3)+x3",
      inequalities: ["x3^2-x2^2-x1^2", "x1^2+x2^2+x3^2-4"], lower: [0, 0, 0], upper: [inf, inf, 5],
      minimum: -4.5857864376),
    .init(
      number: 34, start: [0, 1.05, 2.9], objective: "-x1", inequalities: ["x2-exp(x1)", "x3-exp(x2)"],
      lower: [0, 0, 0], upper: [100, 100, 10], minimum: -0.83403244525),
    .init(
      number: 35, start: [0.5, 0.5, 0.5],
      objective: "9-8*x1-6*x2-4*x3+2*x1^2+2*x2^2+x3^2+2*x1*x2+2*x1*x3", inequalities: ["3-x1-x2-2*x3"],
      lower: [0, 0, 0], minimum: 1.0 / 9),
    .init(
      number: 36, start: [10, 10, 10], objective: "-x1*x2*x3", inequalities: ["72-x1-2*x2-2*x3"],
      lower: [0, 0, 0],
      upper: [20, 11, 42], minimum: -3300),
    .init(
      number: 37, start: [10, 10, 10], objective: "-x1*x2*x3",
      inequalities: ["72-x1-2*x2-2*x3", "x1+2*x2+2*x3"],
      lower: [0, 0, 0], upper: [42, 42, 42], minimum: -3456),
    .init(
      number: 38, start: [-3, -1, -3, -1],
      objective:
        "100*(x2-x1^2)^2+(1-x1)^2+90*(x4-x3^2)^2+(1-x3)^2+10.1*((x2-1)^2+(x4-1)^2)+19.8*(x2-1)*(x4-1)",
      lower: repeating(-10, 4), upper: repeating(10, 4), minimum: 0),
    .init(
      number: 39, start: [2, 2, 2, 2], objective: "-x1", equations: ["x2-x1^3-x3^2", "x1^2-x2-x4^2"],
      minimum: -1),
    .init(
      number: 40, start: [0.8, 0.8, 0.8, 0.8], objective: "-x1*x2*x3*x4",
      equations: ["x1^3+x2^2-1", "x1^2*x4-x3", "x4^2-x2"], minimum: -0.25),
    .init(
      number: 41, start: [2, 2, 2, 2], objective: "2-x1*x2*x3", equations: ["x1+2*x2+2*x3-x4"],
      lower: repeating(0, 4),
      upper: [1, 1, 1, 2], minimum: 52.0 / 27),
    .init(
      number: 42, start: [1, 1, 1, 1], objective: "(x1-1)^2+(x2-2)^2+(x3-3)^2+(x4-4)^2",
      equations: ["x1-2", "x3^2+x4^2-2"], minimum: 13.857864376),
    .init(
      number: 43, start: [0, 0, 0, 0], objective: "x1^2+x2^2+2*x3^2+x4^2-5*x1-5*x2-21*x3+7*x4",
      inequalities: [
        "8-x1^2-x2^2-x3^2-x4^2-x1+x2-x3+x4", "10-x1^2-2*x2^2-x3^2-2*x4^2+x1+x4",
        "5-2*x1^2-x2^2-x3^2-2*x1+x2+x4",
      ], minimum: -44),
    .init(
      number: 44, start: [0, 0, 0, 0], objective: "x1-x2-x3-x1*x3+x1*x4+x2*x3-x2*x4",
      inequalities: ["8-x1-2*x2", "12-4*x1-x2", "12-3*x1-4*x2", "8-2*x3-x4", "8-x3-2*x4", "5-x3-x4"],
      lower: repeating(0, 4), minimum: -15),
    .init(
      number: 45, start: repeating(2, 5), objective: "2-x1*x2*x3*x4*x5/120", lower: repeating(0, 5),
      upper: [1, 2, 3, 4, 5], minimum: 1),
    .init(
      number: 46, start: [0.70710678118654752, 1.75, 0.5, 2, 2],
      objective: "(x1-x2)^2+(x3-1)^2+(x4-1)^4+(x5-1)^6",
      equations: ["x1^2*x4+sin(x4-x5)-1", "x2+x3^4*x4^2-2"], minimum: 0),
    .init(
      number: 48, start: [3, 5, -3, 2, -2], objective: "(x1-1)^2+(x2-x3)^2+(x4-x5)^2",
      equations: ["x1+x2+x3+x4+x5-5", "x3-2*(x4+x5)+3"], minimum: 0),
    .init(
      number: 49, start: [10, 7, 2, -3, 0.8], objective: "(x1-x2)^2+(x3-1)^2+(x4-1)^4+(x5-1)^6",
      equations: ["x1+x2+x3+4*x4-7", "x3+5*x5-6"], minimum: 0),
    .init(
      number: 50, start: [35, -31, 11, 5, -5], objective: "(x1-x2)^2+(x2-x3)^2+(x3-x4)^4+(x4-x5)^2",
      equations: ["x1+2*x2+3*x3-6", "x2+2*x3+3*x4-6", "x3+2*x4+3*x5-6"], minimum: 0),
    .init(
      number: 51, start: [2.5, 0.5, 2, -1, 0.5], objective: "(x1-x2)^2+(x2+x3-2)^2+(x4-1)^2+(x5-1)^2",
      equations: ["x1+3*x2-4", "x3+x4-2*x5", "x2-x5"], minimum: 0),
    .init(
      number: 52, start: repeating(2, 5), objective: "(4*x1-x2)^2+(x2+x3-2)^2+(x4-1)^2+(x5-1)^2",
      equations: ["x1+3*x2", "x3+x4-2*x5", "x2-x5"], minimum: 1859.0 / 349),
    .init(
      number: 53, start: repeating(2, 5), objective: "(x1-x2)^2+(x2+x3-2)^2+(x4-1)^2+(x5-1)^2",
      equations: ["x1+3*x2", "x3+x4-2*x5", "x2-x5"], lower: repeating(-10, 5), upper: repeating(10, 5),
      minimum: 176.0 / 43),
    .init(
      number: 55, start: [1, 2, 0, 0, 0, 2], objective: "x1+2*x2+4*x5+exp(x1*x4)",
      equations: ["x1+2*x2+5*x5-6", "x1+x2+x3-3", "x4+x5+x6-2", "x1+x4-1", "x2+x5-2", "x3+x6-2"],
      lower: repeating(0, 6), upper: [1, inf, inf, 1, inf, inf], minimum: 19.0 / 3),
    .init(
      number: 56, start: [1, 1, 1, 0.50973968, 0.50973968, 0.50973968, 0.98511078], objective: "-x1*x2*x3",
      equations: [
        "x1-4.2*sin(x4)^2", "x2-4.2*sin(x5)^2", "x3-4.2*sin(x6)^2", "x1+2*x2+2*x3-7.2*sin(x7)^2",
      ], minimum: -3.456),
    .init(
      number: 60, start: [2, 2, 2], objective: "(x1-1)^2+(x1-x2)^2+(x2-x3)^4",
      equations: ["x1*(1+x2^2)+x3^4-4-3*sqrt(2)"], lower: repeating(-10, 3), upper: repeating(10, 3),
      minimum: 0.03256820025),
    .init(
      number: 61, start: [0, 0, 0], objective: "4*x1^2+2*x2^2+2*x3^2-33*x1+16*x2-24*x3",
      equations: ["3*x1-2*x2^2-7", "4*x1-x3^2-11"], minimum: -143.6461422),
    .init(
      number: 62, start: [0.7, 0.2, 0.1],
      objective:
        "-32.174*(255*log((x1+x2+x3+0.03)/(0.09*x1+x2+x3+0.03))+280*log((x2+x3+0.03)/(0.07*x2+x3+0.03))+290*log((x3+0.03)/(0.13*x3+0.03)))",
      equations: ["x1+x2+x3-1"], lower: [0, 0, 0], upper: [1, 1, 1], minimum: -26272.51448),
    .init(
      number: 63, start: [2, 2, 2], objective: "1000-x1^2-2*x2^2-x3^2-x1*x2-x1*x3",
      equations: ["8*x1+14*x2+7*x3-56", "x1^2+x2^2+x3^2-25"], lower: [0, 0, 0], minimum: 961.7151721),
    .init(
      number: 64, start: [1, 1, 1], objective: "5*x1+50000/x1+20*x2+72000/x2+10*x3+144000/x3",
      inequalities: ["1-4/x1-32/x2-120/x3"], lower: repeating(1e-5, 3), minimum: 6299.842428),
    .init(
      number: 65, start: [-5, 5, 0], objective: "(x1-x2)^2+((x1+x2-10)/3)^2+(x3-5)^2",
      inequalities: ["48-x1^2-x2^2-x3^2"], lower: [-4.5, -4.5, -5], upper: [4.5, 4.5, 5],
      minimum: 0.9535288567),
    .init(
      number: 66, start: [0, 1.05, 2.9], objective: "0.2*x3-0.8*x1",
      inequalities: ["x2-exp(x1)", "x3-exp(x2)"],
      lower: [0, 0, 0], upper: [100, 100, 10], minimum: 0.5181632741),
    .init(
      number: 71, start: [1, 5, 5, 1], objective: "x1*x4*(x1+x2+x3)+x3",
      equations: ["x1^2+x2^2+x3^2+x4^2-40"],
      inequalities: ["x1*x2*x3*x4-25"], lower: repeating(1, 4), upper: repeating(5, 4), minimum: 17.0140173),
    .init(
      number: 72, start: [1, 1, 1, 1], objective: "1+x1+x2+x3+x4",
      inequalities: ["0.0401-4/x1-2.25/x2-1/x3-0.25/x4", "0.010085-0.16/x1-0.36/x2-0.64/x3-0.64/x4"],
      lower: repeating(0.001, 4), upper: [4e5, 3e5, 2e5, 1e5], minimum: 727.67937),
    .init(
      number: 73, start: [1, 1, 1, 1], objective: "24.55*x1+26.75*x2+39*x3+40.5*x4",
      equations: ["x1+x2+x3+x4-1"],
      inequalities: [
        "2.3*x1+5.6*x2+11.1*x3+1.3*x4-5",
        "12*x1+11.9*x2+41.8*x3+52.1*x4-21-1.645*sqrt(0.28*x1^2+0.19*x2^2+20.5*x3^2+0.62*x4^2)",
      ], lower: repeating(0, 4), minimum: 29.894378),
    .init(
      number: 74, start: [0, 0, 0, 0], objective: "3*x1+0.000001*x1^3+2*x2+0.000002/3*x2^3",
      equations: power("0.55").equations, inequalities: power("0.55").inequalities,
      lower: [0, 0, -0.55, -0.55],
      upper: [1200, 1200, 0.55, 0.55], minimum: 5126.4981),
    .init(
      number: 75, start: [0, 0, 0, 0], objective: "3*x1+0.000001*x1^3+2*x2+0.000002/3*x2^3",
      equations: power("0.48").equations, inequalities: power("0.48").inequalities,
      lower: [0, 0, -0.48, -0.48],
      upper: [1200, 1200, 0.48, 0.48], minimum: 5174.4129),
    .init(
      number: 76, start: repeating(0.5, 4),
      objective: "x1^2+0.5*x2^2+x3^2+0.5*x4^2-x1*x3+x3*x4-x1-3*x2+x3-x4",
      inequalities: ["5-x1-2*x2-x3-x4", "4-3*x1-x2-2*x3+x4", "x2+4*x3-1.5"], lower: repeating(0, 4),
      minimum: -4.681818182),
    .init(
      number: 77, start: repeating(2, 5), objective: "(x1-1)^2+(x1-x2)^2+(x3-1)^2+(x4-1)^4+(x5-1)^6",
      equations: ["x1^2*x4+sin(x4-x5)-2*sqrt(2)", "x2+x3^4*x4^2-8-sqrt(2)"], minimum: 0.24150513),
    .init(
      number: 78, start: [-2, 1.5, 2, -1, -1], objective: "x1*x2*x3*x4*x5", equations: sphere5,
      minimum: -2.91970041),
    .init(
      number: 79, start: repeating(2, 5), objective: "(x1-1)^2+(x1-x2)^2+(x2-x3)^2+(x3-x4)^4+(x4-x5)^4",
      equations: ["x1+x2^2+x3^3-2-3*sqrt(2)", "x2-x3^2+x4+2-2*sqrt(2)", "x1*x5-2"], minimum: 0.0787768209),
    .init(
      number: 80, start: [-2, 2, 2, -1, -1], objective: "exp(x1*x2*x3*x4*x5)", equations: sphere5,
      lower: [-2.3, -2.3, -3.2, -3.2, -3.2], upper: [2.3, 2.3, 3.2, 3.2, 3.2], minimum: 0.0539498478),
    .init(
      number: 81, start: [-2, 2, 2, -1, -1], objective: "exp(x1*x2*x3*x4*x5)-0.5*(x1^3+x2^3+1)^2",
      equations: sphere5,
      lower: [-2.3, -2.3, -3.2, -3.2, -3.2], upper: [2.3, 2.3, 3.2, 3.2, 3.2], minimum: 0.0539498478),
    .init(
      number: 83, start: [78, 33, 27, 27, 27],
      objective: "5.3578547*x3^2+0.8356891*x1*x5+37.293239*x1-40792.141",
      inequalities: [
        "85.334407+0.0056858*x2*x5+0.0006262*x1*x4-0.0022053*x3*x5",
        "92-85.334407-0.0056858*x2*x5-0.0006262*x1*x4+0.0022053*x3*x5",
        "80.51249+0.0071317*x2*x5+0.0029955*x1*x2+0.0021813*x3^2-90",
        "110-80.51249-0.0071317*x2*x5-0.0029955*x1*x2-0.0021813*x3^2",
        "9.300961+0.0047026*x3*x5+0.0012547*x1*x3+0.0019085*x3*x4-20",
        "25-9.300961-0.0047026*x3*x5-0.0012547*x1*x3-0.0019085*x3*x4",
      ], lower: [78, 33, 27, 27, 27], upper: [102, 45, 45, 45, 45], minimum: -30665.53867),
    .init(
      number: 93, start: [5.54, 4.4, 12.02, 11.82, 0.702, 0.852],
      objective:
        "0.0204*x1*x4*(x1+x2+x3)+0.0187*x2*x3*(x1+1.57*x2+x4)+0.0607*x1*x4*x5^2*(x1+x2+x3)+0.0437*x2*x3*x6^2*(x1+1.57*x2+x4)",
      inequalities: [
        "0.001*x1*x2*x3*x4*x5*x6-2.07",
        "1-0.00062*x1*x4*x5^2*(x1+x2+x3)-0.00058*x2*x3*x6^2*(x1+1.57*x2+x4)",
      ], lower: repeating(0, 6), minimum: 135.075961),
    .init(
      number: 100, start: [1, 2, 0, 4, 0, 1, 1],
      objective:
        "(x1-10)^2+5*(x2-12)^2+x3^4+3*(x4-11)^2+10*x5^6+7*x6^2+x7^4-4*x6*x7-10*x6-8*x7",
      inequalities: [
        "127-2*x1^2-3*x2^4-x3-4*x4^2-5*x5", "282-7*x1-3*x2-10*x3^2-x4+x5", "196-23*x1-x2^2-6*x6^2+8*x7",
        "-4*x1^2-x2^2+3*x1*x2-2*x3^2-5*x6+11*x7",
      ], minimum: 680.6300573),
    .init(
      number: 106, start: [5000, 5000, 5000, 200, 350, 150, 225, 425], objective: "x1+x2+x3",
      inequalities: [
        "1-0.0025*(x4+x6)", "1-0.0025*(x5+x7-x4)", "1-0.01*(x8-x5)", "x1*x6-833.33252*x4-100*x1+83333.333",
        "x2*x7-1250*x5-x2*x4+1250*x4", "x3*x8-1250000-x3*x5+2500*x5",
      ], lower: [100, 1000, 1000, 10, 10, 10, 10, 10],
      upper: [10000, 10000, 10000, 1000, 1000, 1000, 1000, 1000], minimum: 7049.248),
    .init(
      number: 110, start: repeating(9, 10),
      objective: (1...10).map { "log(x\($0)-2)^2+log(10-x\($0))^2" }.joined(separator: "+")
        + "-exp(0.2*log(x1*x2*x3*x4*x5*x6*x7*x8*x9*x10))",
      lower: repeating(2.001, 10), upper: repeating(9.999, 10), minimum: -45.77846971),
    .init(
      number: 112, start: repeating(0.1, 10),
      objective: zip(
        1...10, [-6.089, -17.164, -34.054, -5.914, -24.721, -14.986, -24.1, -10.708, -26.662, -22.179]
      ).map { "x\($0)*(\($1)+log(x\($0)/(x1+x2+x3+x4+x5+x6+x7+x8+x9+x10)))" }.joined(separator: "+"),
      equations: ["x1+2*x2+2*x3+x6+x10-2", "x4+2*x5+x6+x7-1", "x3+x7+x8+2*x9+x10-1"],
      lower: repeating(1e-6, 10),
      minimum: -47.76109086),
    .init(
      number: 113, start: [2, 3, 5, 5, 1, 2, 7, 3, 6, 10],
      objective:
        "x1^2+x2^2+x1*x2-14*x1-16*x2+(x3-10)^2+4*(x4-5)^2+(x5-3)^2+2*(x6-1)^2+5*x7^2+7*(x8-11)^2+2*(x9-10)^2+(x10-7)^2+45",
      inequalities: [
        "105-4*x1-5*x2+3*x7-9*x8", "-10*x1+8*x2+17*x7-2*x8", "8*x1-2*x2-5*x9+2*x10+12",
        "-3*(x1-2)^2-4*(x2-3)^2-2*x3^2+7*x4+120", "-5*x1^2-8*x2-(x3-6)^2+2*x4+40",
        "-0.5*(x1-8)^2-2*(x2-4)^2-3*x5^2+x6+30", "-x1^2-2*(x2-2)^2+2*x1*x2-14*x5+6*x6",
        "3*x1-6*x2-12*(x9-8)^2+7*x10",
      ], minimum: 24.3062091),
  ]
}
