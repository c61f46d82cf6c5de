"use strict";
// What the agent says is text: it is only ever set as textContent.
const TONE = { MASTER: "good", BACKUP: "calm", FAULT: "bad", INIT: "warn" };
const VERDICT = { up: "good", down: "bad", unknown: "warn" };
const PHASES = [["decided_ms", "decided"], ["vip_ms", "vip"], ["announced_ms", "announced"], ["core_told_ms", "core"]];
const WORDS = { decided: "decided", vip: "VIP moved", announced: "announced", core: "SIP core told" };
const EVENTS = [/*events*/];
const SHOWN_EVENTS = 12, SHOWN_CHANGES = 8, LAG_SAMPLES = 120, SILENCE_MS = 20000;
const SVG = "http://www.w3.org/2000/svg";
const byId = (id) => document.getElementById(id);
const lags = [];
let heard = 0;

function make(name, attributes = {}, ...children) {
  const space = ["svg", "rect", "line", "text", "polyline", "title"].includes(name) ? SVG : "http://www.w3.org/1999/xhtml";
  const element = document.createElementNS(space, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children.filter((child) => child !== null));
  return element;
}
const badge = (text, tone) => make("span", { class: "badge", "data-tone": tone ?? "" }, text);
const yes = (value) => (value === null || value === undefined ? "unknown" : value ? "yes" : "no");
const clock = (iso) => new Date(iso).toLocaleTimeString([], { hour12: false });
const ms = (value) => (value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2)) + " ms";
function list(pairs) {
  return make("dl", {}, ...pairs.filter(([, value]) => value !== null).flatMap(([name, value]) =>
    [make("dt", {}, name), make("dd", {}, value instanceof Node ? value : String(value))]));
}

function showStatus(state) {
  const peer = state.peer, core = state.core, up = Boolean(peer && peer.connected);
  document.title = `${state.role} · ${state.node} · haagent`;
  const vips = (here) => make("div", { class: "vips" }, ...state.routers
    .filter((router) => (here ? router.vips_present : !router.vips_present && up && peer.role === "MASTER"))
    .flatMap((router) => router.vips).map((vip) => make("span", {}, vip)));
  byId("here").dataset.role = state.role;
  byId("here").replaceChildren(
    make("h2", {}, state.node, badge(state.role, TONE[state.role]), badge("this node"),
      state.pause ? badge("paused", "warn") : null),
    make("p", {}, state.reason), vips(true),
    list([["epoch", state.epoch], ["since", new Date(state.since).toLocaleString([], { hour12: false })],
      ["SIP core", core ? badge(coreWord(core), core.connected && core.ready ? (core.synced ? "good" : "warn") : "bad") : "none configured"],
      ["calls", core && core.dialogs !== undefined ? `${core.dialogs} dialogs, ${core.contacts} contacts` : null],
      ["witness", state.witness ? badge(!state.witness.answers ? "does not answer" : state.witness.held ? "lock held" : `lock of ${state.witness.holder ?? "nobody"}`,
        state.witness.answers ? "good" : "warn") : null],
      ["paused", state.pause ? `by ${state.pause.by}` + (state.pause.left === null ? "" : `, ${state.pause.left.toFixed(0)} s left`) : null]]));
  showPeer(peer, up, vips(false));
  showPath(peer, up, core);
  showRouters(state.routers);
  showChecks(state.checks ?? []);
  showReplication(core);
  say(state, peer, up);
}

function coreWord(core) {
  if (!core.connected) return "not there";
  return !core.ready ? "not ready" : core.synced ? "ready, in sync" : "ready, not in sync";
}

function showPeer(peer, up, vips) {
  const there = byId("there");
  there.dataset.role = up ? peer.role : "";
  if (!peer) {
    there.replaceChildren(make("h2", {}, "peer"), make("p", {}, "No peer channel is configured."));
    return;
  }
  there.replaceChildren(
    make("h2", {}, peer.node ?? "peer", up ? badge(peer.role, TONE[peer.role]) : badge("not heard", "bad"), badge("peer")),
    make("p", {}, up ? "As it says over the peer channel." : peer.role ? `It said last that it was ${peer.role}.` : "It has not been heard yet."),
    vips,
    list([["epoch", peer.epoch ?? "unknown"], ["priority", peer.priority ?? "unknown"],
      ["could take over", up ? badge(yes(peer.ready), peer.ready ? "good" : "bad") : "unknown"],
      ["in sync", up ? badge(yes(peer.synced), peer.synced ? "good" : "warn") : "unknown"]]));
}

function showPath(peer, up, core) {
  const path = byId("path");
  path.dataset.up = up ? "yes" : "no";
  if (!peer) return path.replaceChildren();
  const link = links(core)[0];
  path.replaceChildren(
    make("span", {}, up ? `peer channel ${peer.rtt_ms === null ? "" : ms(peer.rtt_ms)}` : "peer channel down"),
    make("div", { class: "wire" }),
    make("span", {}, link ? (link.connected ? `replication ${link.lag_events} behind` : "replication down") : ""));
}

function table(where, heads, rows) {
  const section = byId(where);
  section.hidden = rows.length === 0;
  section.querySelector("table").replaceChildren(
    make("thead", {}, make("tr", {}, ...heads.map(([text, kind]) => make("th", { class: kind ?? "", scope: "col" }, text)))),
    make("tbody", {}, ...rows.map((cells) => make("tr", {}, ...cells.map((cell, index) =>
      make("td", { class: heads[index][1] ?? "" }, cell instanceof Node ? cell : String(cell)))))));
}

function showRouters(routers) {
  table("routers", [["router"], ["state"], ["VRID", "number"], ["interface"], ["priority", "number"], ["interval", "number"], ["lease", "number"], ["VIPs"], ["here"]],
    routers.map((router) => [router.name, badge(router.state, TONE[router.state]), router.vrid, router.interface,
      router.effective_priority === router.priority ? router.priority : `${router.effective_priority} of ${router.priority}`,
      `${Math.round(router.advert_interval * 1000)} ms`, router.lease === "off" ? "off" : `${Math.round(router.lease * 1000)} ms`,
      router.vips.join(", "), router.vips_present ? "yes" : "no"]));
}

function showChecks(checks) {
  table("checks", [["check"], ["kind"], ["verdict"], ["weight", "number"], ["took", "number"], ["last result", "text"]],
    checks.map((check) => [check.name, check.kind, badge(check.verdict, VERDICT[check.verdict]), check.weight || "fault",
      check.duration_ms === null ? "" : ms(check.duration_ms), check.last ? check.last.reason : "none yet"]));
}

function links(core) {
  return Object.entries(core && core.connected && core.replication || {}).map(([where, link]) => ({ where, ...link }));
}

function showReplication(core) {
  const section = byId("replication"), found = links(core);
  section.hidden = found.length === 0;
  if (found.length === 0) { lags.length = 0; return; }
  lags.push(Math.max(...found.map((link) => link.lag_events ?? 0)));
  if (lags.length > LAG_SAMPLES) lags.shift();
  section.querySelector(".tiles").replaceChildren(...found.flatMap((link) => link.connected ? [
    tile(link.node ?? "peer", link.peer_synced ? "has all of this node" : "does not have all yet"),
    tile(link.lag_events, "changes behind"), tile(ms(link.lag_ms), "age of the oldest"),
    tile(link.unacked_bytes, "bytes not acknowledged"),
  ] : [tile(link.where, "not connected")]), sparkline());
}
const tile = (value, what) => make("div", {}, make("b", {}, String(value)), make("span", {}, what));

function sparkline() {
  const top = Math.max(1, ...lags), step = 200 / (LAG_SAMPLES - 1);
  const points = lags.map((lag, index) => `${(200 - (lags.length - 1 - index) * step).toFixed(1)},${(38 - 36 * lag / top).toFixed(1)}`);
  return make("div", {}, make("svg", { viewBox: "0 0 200 40", preserveAspectRatio: "none", role: "img", "aria-label": "changes behind, lately" },
    make("line", { class: "base", x1: 0, x2: 200, y1: 38, y2: 38 }), make("polyline", { class: "spark", points: points.join(" ") })), make("span", {}, `changes behind, lately; at most ${Math.max(...lags)}`));
}

function timeline(phases) {
  const known = PHASES.filter(([key]) => typeof phases[key] === "number").map(([key, name]) => [phases[key], name]);
  if (known.length === 0) return make("span", {}, "");
  const width = 360, end = Math.max(...known.map(([at]) => at), 0.001);
  const picture = make("svg", { viewBox: `0 0 ${width} 14`, preserveAspectRatio: "none", role: "img",
    "aria-label": known.map(([at, name]) => `${WORDS[name]} after ${ms(at)}`).join(", ") });
  let from = 0;
  for (const [at, name] of known.sort((one, other) => one[0] - other[0])) {
    const x = from / end * width, w = Math.max((at - from) / end * width, 1.5);
    picture.append(make("rect", { class: name, x, y: 0, width: w, height: 14 }, make("title", {}, `${WORDS[name]}: ${ms(at)}`)));
    from = Math.max(from, at);
  }
  const steps = known.filter(([, name]) => name !== "decided").map(([at, name]) => make("span", {}, `${WORDS[name]} ${ms(at)}`));
  return make("div", {}, picture, make("div", { class: "steps" }, ...steps));
}

function showHistory(records) {
  const rows = records.slice(-SHOWN_CHANGES).reverse().map((record) => make("li", {},
    make("time", { datetime: record.time }, new Date(record.time).toLocaleString([], { hour12: false })),
    make("div", { class: "why" }, badge(record.role, TONE[record.role]), ` ${record.reason}`),
    timeline(record.phases ?? {})));
  byId("takeovers").querySelector("ol").replaceChildren(...rows);
  byId("takeovers").hidden = rows.length === 0;
}

function showEvent(name, data) {
  const { timestamp, level, id, phases, ...fields } = data;
  const text = name === "alarm" || name === "note" ? fields.text
    : name === "role_changed" ? `${fields.old} → ${fields.role}, epoch ${fields.epoch}: ${fields.reason}`
    : Object.entries(fields).map(([key, value]) => `${key.replaceAll("_", " ")} ${typeof value === "object" && value !== null ? JSON.stringify(value) : value}`).join(", ");
  const news = byId("news").querySelector("ol");
  news.prepend(make("li", { "data-level": level ?? "" }, make("time", {}, timestamp ? clock(timestamp) : ""), make("b", {}, name), make("span", {}, text)));
  while (news.children.length > SHOWN_EVENTS) news.lastChild.remove();
  byId("news").hidden = false;
}

function say(state, peer, up) {
  const both = up && state.role === "MASTER" && peer.role === "MASTER";
  const none = up && state.role !== "MASTER" && peer.role !== "MASTER";
  const text = !state.guard_pid ? "The guard does not run: this node cannot take over."
    : both ? "Both nodes say that they are master." : none ? "No node is master."
    : Object.keys(state.two_owners ?? {}).length ? `Another host answers for ${Object.keys(state.two_owners).join(", ")}, too.`
    : state.role === "FAULT" ? `This node is in FAULT: ${state.reason}` : "";
  byId("banner").textContent = text;
  byId("banner").hidden = text === "";
}

function live(state, text) {
  byId("live").dataset.state = state;
  byId("live").textContent = text;
  document.querySelector("main").classList.toggle("stale", state === "off");
}

async function refreshHistory() {
  try {
    const answer = await fetch(`history?last=${SHOWN_CHANGES}`);
    if (answer.ok) showHistory(await answer.json());
  } catch { /* the stream says that the agent is away */ }
}

function listen() {
  const source = new EventSource(`events?last=${SHOWN_EVENTS}`);
  source.addEventListener("status", (event) => { heard = Date.now(); live("on", "live"); showStatus(JSON.parse(event.data)); });
  source.addEventListener("open", refreshHistory);
  for (const name of EVENTS) source.addEventListener(name, (event) => {
    showEvent(name, JSON.parse(event.data));
    if (["role_changed", "core_told", "paused", "resumed"].includes(name)) refreshHistory();
  });
  source.addEventListener("error", () => {
    live("off", "the agent does not answer; trying again");
    if (source.readyState === EventSource.CLOSED) setTimeout(listen, 2000); // refused, as with 503: the browser gives up
  });
}

byId("legend").replaceChildren(...PHASES.map(([, name]) => make("span", {}, make("i", { class: name }), WORDS[name])));
for (const id of ["takeovers", "routers", "checks", "replication", "news"]) byId(id).hidden = true;
setInterval(() => { if (heard && Date.now() - heard > SILENCE_MS) live("off", "silent for a while"); }, 5000);
listen();
