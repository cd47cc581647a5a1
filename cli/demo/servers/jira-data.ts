// Records of the demo `jira` server.

export interface Ticket {
  readonly key: string;
  readonly project: "OPS" | "FIN";
  readonly summary: string;
  readonly status: "Open" | "In Progress" | "Done";
  readonly assignee: { readonly name: string; readonly email: string };
}

export const TICKETS: readonly Ticket[] = [
  {
    key: "OPS-17",
    project: "OPS",
    summary: "Login page times out under load",
    status: "In Progress",
    assignee: { name: "Grace Hopper", email: "grace.hopper@example.com" },
  },
  {
    key: "OPS-18",
    project: "OPS",
    summary: "Rotate the signing keys of the build farm",
    status: "Open",
    assignee: { name: "Ada Lovelace", email: "ada.lovelace@example.com" },
  },
  {
    key: "FIN-4",
    project: "FIN",
    summary: "Quarterly export misses two cost centres",
    status: "Open",
    assignee: { name: "Hedy Lamarr", email: "hedy.lamarr@example.com" },
  },
  {
    key: "FIN-5",
    project: "FIN",
    summary: "Invoice totals are rounded twice",
    status: "Done",
    assignee: { name: "Alan Turing", email: "alan.turing@example.com" },
  },
];

export const PROJECTS = [
  { key: "OPS", name: "Operations", description: "Running what we run." },
  { key: "FIN", name: "Finance", description: "Reports, exports and invoices." },
] as const;

/** The best match for a query: by key, by project, or by words of the summary; the first ticket where nothing fits. */
export function searchTickets(jql: string): { readonly total: number; readonly best: Ticket } {
  const words = jql
    .toLowerCase()
    .split(/[^a-z0-9-]+/)
    .filter((word) => word.length > 1);
  const score = (ticket: Ticket): number => {
    const text = `${ticket.key} ${ticket.project} ${ticket.summary} ${ticket.status}`.toLowerCase();
    return words.filter((word) => text.includes(word)).length;
  };
  const ranked = TICKETS.map((ticket) => ({ ticket, score: score(ticket) })).sort(
    (a, b) => b.score - a.score,
  );
  const [first] = ranked;
  if (first === undefined) throw new Error("no tickets");
  return { total: ranked.filter((entry) => entry.score > 0).length, best: first.ticket };
}
