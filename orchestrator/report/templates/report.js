// Shows the matrix against another baseline, or by another statistic. Without it the page has everything it needs: this only chooses.
"use strict";
(() => {
  const told = JSON.parse(document.getElementById("numbers").textContent);
  const form = document.getElementById("choices");
  const [statistic, baseline, host] = ["statistic", "baseline", "host"].map((name) => form.elements[name]);
  const MISSING = "-", PAIRED = "paired";

  const digits = (value) => {
    const size = Math.abs(value);
    if (size >= 100 || value === 0) return value.toFixed(0);
    return size >= 10 ? value.toFixed(1) : size >= 1 ? value.toFixed(2) : value.toPrecision(3);
  };
  const ratio = (value) => (value < 10 ? value.toFixed(3) : String(Number(value.toPrecision(3))));

  /** The paired ratio of one combination to another: [value] or [value, low, high]; null where there is none. */
  const paired = (row, of, to) => {
    const found = row.ratios[`${Math.min(of, to)},${Math.max(of, to)}`];
    if (!found || of > to) return found || null;
    const [value, low, high] = found.map((end) => 1 / end);
    return low === undefined ? [value] : [value, high, low];
  };

  const kind = ([, low, high]) => {
    if (low === undefined) return "unsure";
    if (low > 1 || high < 1) return low > 1 ? "worse" : "better";
    const limit = Math.log1p(told.margin);
    return -limit < Math.log(low) && Math.log(high) < limit ? "same" : "unsure";
  };

  const value = (row, of, which) => (row.values[of] ? row.values[of][which] : null);
  const withUnit = (row, number) => (number === null ? MISSING : `${digits(number)} ${row.unit}`);

  const cell = (row, of, to) => {
    const none = (small) => ({ text: MISSING, small: row.unsupported.includes(of) ? "not supported" : small, kind: "none" });
    const which = told.statistics.indexOf(statistic.value);
    const shown = which < 0 ? told.statistics.indexOf("median") : which;
    if (of === to && value(row, of, shown) === null) return none("");
    if (of === to) return { text: withUnit(row, value(row, of, shown)), small: "baseline", kind: "base" };
    if (which < 0) {
      const found = paired(row, of, to);
      if (!found) return none("");
      const small = found.length > 1 ? `${ratio(found[1])}–${ratio(found[2])}` : "no interval";
      return { text: ratio(found[0]), small, kind: kind(found), claimed: to === told.order[0] && row.claims.includes(of) };
    }
    const [ours, theirs] = [value(row, of, which), value(row, to, which)];
    if (!(ours > 0) || !(theirs > 0)) return none(ours === null ? "" : withUnit(row, ours));
    return { text: ratio((ours / theirs) ** row.sign), small: withUnit(row, ours), kind: "plain" };
  };

  const paint = (td, { text, small, kind: name, claimed }) => {
    td.className = claimed ? `${name} claimed` : name;
    td.firstChild.data = text;
    td.lastElementChild.textContent = small;
  };

  const sentence = () => {
    const to = told.combinations[baseline.value];
    if (statistic.value !== PAIRED)
      return `Ratios of each one's ${statistic.value} to that of ${to}. They describe, and no claim rests on them.`;
    if (Number(baseline.value) === told.order[0])
      return `Ratios to ${to}, paired by block, with 95 % intervals. What is bold is claimed, after correction for all comparisons.`;
    return `Ratios to ${to}, paired by block, with 95 % intervals, each by itself. Claims are made against ${told.combinations[told.order[0]]} only.`;
  };

  const draw = () => {
    for (const tr of document.querySelectorAll("tr[data-row]")) {
      const row = told.rows[tr.dataset.row];
      tr.querySelectorAll("td").forEach((td, column) => paint(td, cell(row, told.order[column], Number(baseline.value))));
      tr.hidden = Boolean(host) && host.value !== "" && tr.dataset.host !== host.value;
    }
    document.getElementById("chosen").textContent = sentence();
  };

  form.addEventListener("input", draw);
  form.addEventListener("reset", () => setTimeout(draw));
  form.hidden = false;
  draw();
})();
