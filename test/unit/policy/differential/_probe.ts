import { Reference } from "/work/main/test/unit/policy/differential/engines.ts";
import { compareRound, emptyReport, describeDifference } from "/work/main/test/unit/policy/differential/compare.ts";
const r = new Reference(); const rep = emptyReport(); const t=performance.now();
const [from,to]=[Number(process.argv[2]),Number(process.argv[3])];
for (let s=from;s<to;s++){ compareRound(r,s,rep); if(rep.differences.length>3) break; }
const {differences,...rest}=rep; console.log(rest, differences.length, 'ms', performance.now()-t);
for(const d of differences.slice(0,Number(process.argv[4]??1))) console.log(describeDifference(d));
