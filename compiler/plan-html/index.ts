// The HTML form of a plan; reached through door #plan.
export { renderPlanHtml } from "./render-plan-html.ts";
