"""Peers: what other libraries make of a zero-sum matrix game, each at its tightest settings.

Every adapter takes the row player's payoff matrix, float64 of shape (m, n), and returns the profile (m + n,), x then y. A peer that is not installed raises
ImportError; one that says itself that it found no equilibrium raises RuntimeError. The time of a call is all that a user waits for once the library is
imported: the model is built from the dense matrix, solved, and read out. Those written as linear programs solve one, min t subject to Ay ≤ t, Σy = 1, y ≥ 0,
whose multipliers are x; libraries with a function for zero-sum games are called through it.

    mmd-games bench benchmarks/suites/references.toml        # solvers = [..., "benchmarks.references.peers:glop"]
"""

from __future__ import annotations

import importlib.util
import warnings

import numpy as np

FEASIBILITY = 1e-10
"""The tightest that HiGHS accepts for constraints and bounds; 1e-7 by default."""
OPTIMALITY = 1e-12
"""The tightest that its interior point accepts, before crossover; 1e-8 by default. GLOP and PDLP are asked for the same."""
SMALLEST_ENTRY = 1e-12
"""Matrix entries below it are dropped by HiGHS: the smallest that it accepts; 1e-9 by default."""
MOST_PIVOTS = 100_000
"""Of Lemke-Howson, a million by default: it needs some n of them, or cycles."""
MOST_ITERATIONS = 1_000_000
"""Of a first-order method, which may be far from 1e-12 for hours."""


def _program(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Rows (m + 1, n + 1) of the linear program in y and t, bounds of variables, costs, and bounds of rows."""
    m, n = matrix.shape
    rows = np.zeros((m + 1, n + 1))
    rows[:m, :n] = matrix
    rows[:m, n] = -1.0
    rows[m, :n] = 1.0
    lowest = np.append(np.zeros(n), -np.inf)
    costs = np.append(np.zeros(n), 1.0)
    return rows, lowest, np.full(n + 1, np.inf), costs, np.append(np.full(m, -np.inf), 1.0), np.append(np.zeros(m), 1.0)


def highs_simplex(matrix: np.ndarray) -> np.ndarray:
    """SciPy's linprog, method highs-ds: dual simplex, tolerances 1e-10 (1e-7 by default)."""
    return _linprog(matrix, "highs-ds")


def highs_ipm(matrix: np.ndarray) -> np.ndarray:
    """SciPy's linprog, method highs-ipm: interior point with crossover, tolerances 1e-10 and 1e-12."""
    return _linprog(matrix, "highs-ipm", ipm_optimality_tolerance=OPTIMALITY)


def _linprog(matrix: np.ndarray, method: str, **options: float) -> np.ndarray:
    from scipy.optimize import OptimizeWarning, linprog

    rows, lowest, highest, costs, _, at_most = _program(matrix)
    options |= {"primal_feasibility_tolerance": FEASIBILITY, "dual_feasibility_tolerance": FEASIBILITY, "small_matrix_value": SMALLEST_ENTRY}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", OptimizeWarning)  # SciPy hands small_matrix_value on to HiGHS, but warns that it does not know it
        found = linprog(
            costs, A_ub=rows[:-1], b_ub=at_most[:-1], A_eq=rows[-1:], b_eq=[1.0], bounds=np.column_stack([lowest, highest]), method=method, options=options
        )
    if not found.success:
        raise RuntimeError(f"HiGHS: {found.message}")
    return np.concatenate([-found.ineqlin.marginals, found.x[:-1]])


def highspy_ipm(matrix: np.ndarray) -> np.ndarray:
    """HiGHS through its own interface: interior point with crossover, tolerances 1e-10 and 1e-12."""
    return _highspy(matrix, solver="ipm", run_crossover="on", ipm_optimality_tolerance=OPTIMALITY)


def highspy_simplex(matrix: np.ndarray) -> np.ndarray:
    """HiGHS through its own interface: dual simplex, tolerances 1e-10."""
    return _highspy(matrix, solver="simplex")


def _highspy(matrix: np.ndarray, **options: float | str) -> np.ndarray:
    import highspy
    from scipy.sparse import csc_array

    m, n = matrix.shape
    rows, lowest, highest, costs, at_least, at_most = _program(matrix)
    program, columns = highspy.HighsLp(), csc_array(rows)
    program.num_col_, program.num_row_ = n + 1, m + 1
    program.col_cost_, program.col_lower_, program.col_upper_, program.row_lower_, program.row_upper_ = costs, lowest, highest, at_least, at_most
    program.a_matrix_.format_ = highspy.MatrixFormat.kColwise
    program.a_matrix_.start_, program.a_matrix_.index_, program.a_matrix_.value_ = columns.indptr, columns.indices, columns.data
    highs = highspy.Highs()
    highs.setOptionValue("log_to_console", False)
    highs.setOptionValue("output_flag", False)
    tolerances = {"primal_feasibility_tolerance": FEASIBILITY, "dual_feasibility_tolerance": FEASIBILITY, "small_matrix_value": SMALLEST_ENTRY}
    for name, value in (options | tolerances).items():
        if highs.setOptionValue(name, value) != highspy.HighsStatus.kOk:
            raise RuntimeError(f"highspy refuses {name} = {value}")
    highs.passModel(program)
    highs.run()
    if highs.getModelStatus() != highspy.HighsModelStatus.kOptimal:
        raise RuntimeError(f"highspy: {highs.modelStatusToString(highs.getModelStatus())}")
    solution = highs.getSolution()
    return np.concatenate([-np.asarray(solution.row_dual)[:m], np.asarray(solution.col_value)[:n]])


def glop(matrix: np.ndarray) -> np.ndarray:
    """OR-tools' simplex, tolerances 1e-12 (1e-8 by default), through the model builder's sparse door."""
    from ortools.linear_solver.python import model_builder_helper
    from scipy.sparse import csr_matrix

    m, n = matrix.shape
    rows, lowest, highest, costs, at_least, at_most = _program(matrix)
    model, solver = model_builder_helper.ModelBuilderHelper(), model_builder_helper.ModelSolverHelper("glop")
    model.fill_model_from_sparse_data(lowest, highest, costs, at_least, at_most, csr_matrix(rows))
    solver.set_solver_specific_parameters(f"primal_feasibility_tolerance: {OPTIMALITY} dual_feasibility_tolerance: {OPTIMALITY}")
    solver.solve(model)
    if solver.status() != model_builder_helper.SolveStatus.OPTIMAL:
        raise RuntimeError(f"GLOP: {solver.status().name.lower()}")
    return np.concatenate([-np.asarray(solver.dual_values())[:m], np.asarray(solver.variable_values())[:n]])


def pdlp(matrix: np.ndarray) -> np.ndarray:
    """OR-tools' first-order method, absolute tolerance 1e-12 and relative 0 (1e-6 by default), at most a million iterations."""
    from ortools.pdlp import solve_log_pb2, solvers_pb2
    from ortools.pdlp.python import pdlp as solver
    from scipy.sparse import csc_matrix

    m, n = matrix.shape
    program, settings = solver.QuadraticProgram(), solvers_pb2.PrimalDualHybridGradientParams()
    program.resize_and_initialize(n + 1, m + 1)
    rows, lowest, highest, costs, at_least, at_most = _program(matrix)
    program.constraint_matrix, program.objective_vector = csc_matrix(rows), costs
    program.variable_lower_bounds, program.variable_upper_bounds = lowest, highest
    program.constraint_lower_bounds, program.constraint_upper_bounds = at_least, at_most
    criteria = settings.termination_criteria
    criteria.simple_optimality_criteria.eps_optimal_absolute, criteria.simple_optimality_criteria.eps_optimal_relative = OPTIMALITY, 0.0
    criteria.iteration_limit = MOST_ITERATIONS
    found = solver.primal_dual_hybrid_gradient(program, settings)
    if found.solve_log.termination_reason != solve_log_pb2.TERMINATION_REASON_OPTIMAL:
        raise RuntimeError(f"PDLP: {solve_log_pb2.TerminationReason.Name(found.solve_log.termination_reason).removeprefix('TERMINATION_REASON_').lower()}")
    return np.concatenate([-np.asarray(found.dual_solution)[:m], np.asarray(found.primal_solution)[:n]])


def quantecon_minmax(matrix: np.ndarray) -> np.ndarray:
    """quantecon.optimize.minmax: a compiled tableau simplex, at its default tolerances (1e-7 to pivot; tighter ones change nothing); it reports no failure."""
    from quantecon.optimize import minmax

    _, x, y = minmax(matrix)
    return np.concatenate([x, y])


def quantecon_lemke_howson(matrix: np.ndarray) -> np.ndarray:
    """Quantecon's Lemke-Howson algorithm on the game (A, −A), with its own word on whether it converged, for which full output must be asked."""
    from quantecon.game_theory import NormalFormGame, Player, lemke_howson

    game = NormalFormGame((Player(matrix), Player(-matrix.T)))
    (x, y), outcome = lemke_howson(game, max_iter=MOST_PIVOTS, full_output=True)
    if not outcome.converged:
        raise RuntimeError(f"Lemke-Howson did not converge in {outcome.num_iter:,} pivots")
    return np.concatenate([x, y])


def nashpy_lp(matrix: np.ndarray) -> np.ndarray:
    """Nashpy's linear programs, one a player, through SciPy at its default tolerances: the function takes none."""
    import nashpy

    x, y = nashpy.Game(matrix).linear_program()
    return np.concatenate([x, y])


def openspiel_lp(matrix: np.ndarray) -> np.ndarray:
    """OpenSpiel's linear programs, one a player, solved by ECOS through CVXPY to 1e-7: the function takes no settings. OpenSpiel requires neither of the two."""
    if not all(importlib.util.find_spec(name) for name in ("cvxpy", "ecos")):
        raise ImportError("pip install cvxpy ecos")  # without ECOS, CVXPY raises, OpenSpiel prints it, and fails with a TypeError
    import pyspiel
    from open_spiel.python.algorithms.lp_solver import solve_zero_sum_matrix_game

    x, y, *_ = solve_zero_sum_matrix_game(pyspiel.create_matrix_game(matrix, -matrix))
    return np.concatenate([x, y])
