// gates of aegis.yaml → gates with their places; tiers and labels that no server has are reported.
import type { ServerEntry } from "#bundle";
import type { DiagnosticSink } from "../diagnostics/index.ts";
import type { Parsed } from "../documents/load.ts";
import type { GateRuleShape, GateShape, ProjectShape } from "../documents/shapes.ts";
import { didYouMean } from "../documents/yaml-source.ts";
import { GATE_NAMES } from "../model/gate.ts";
import type { Gate, GateClause, GateName, GateRule } from "../model/gate.ts";

const LABEL_PREFIX = "label:";

/** The gates of the project, in the order in which they are documented. */
export function lowerGates(
  project: Parsed<ProjectShape> | undefined,
  servers: readonly ServerEntry[],
  sink: DiagnosticSink,
): readonly Gate[] {
  const shapes = project?.shape.gates;
  if (project === undefined || shapes === undefined) return [];
  return GATE_NAMES.flatMap((name) => {
    const shape = Object.hasOwn(shapes, name) ? shapes[name] : undefined;
    return shape === undefined ? [] : [lowerGate(project, name, shape, servers, sink)];
  });
}

function lowerGate(
  { source }: Parsed<ProjectShape>,
  name: GateName,
  shape: GateShape,
  servers: readonly ServerEntry[],
  sink: DiagnosticSink,
): Gate {
  const at = source.atKey("gates", name);
  if (typeof shape === "string" || "require" in shape) {
    const rule = ruleOf(shape);
    return {
      ...{ name, at, tiers: new Map(), labels: new Map(), maxPercentOfReplay: undefined },
      default: { rule, at: source.at("gates", name) },
    };
  }
  const named = (
    key: "tiers" | "labels",
    known: readonly string[],
    noun: string,
  ): ReadonlyMap<string, GateClause> =>
    new Map(
      Object.entries(shape[key] ?? {}).map(([item, rule]) => {
        const place = source.atKey("gates", name, key, item);
        if (!known.includes(item)) {
          const message = `no server has the ${noun} ${JSON.stringify(item)}`;
          sink.report("SCOPE_EMPTY", place, message, didYouMean(item, known));
        }
        return [item, { rule: ruleOf(rule), at: place }];
      }),
    );
  const tiers = [...new Set(servers.map(({ tier }) => tier))].sort();
  const labels = [...new Set(servers.flatMap((server) => server.labels))].sort();
  const percent = shape.maxPercentOfReplay;
  return {
    name,
    at,
    default:
      shape.default === undefined
        ? undefined
        : { rule: ruleOf(shape.default), at: source.at("gates", name, "default") },
    tiers: named("tiers", tiers, "tier"),
    labels: named("labels", labels, "label"),
    maxPercentOfReplay:
      percent === undefined ? undefined : { percent, at: source.at("gates", name, "maxPercentOfReplay") },
  };
}

function ruleOf(shape: GateRuleShape): GateRule {
  if (typeof shape === "string") return { effect: shape };
  return { effect: "require", label: shape.require.slice(LABEL_PREFIX.length) };
}
