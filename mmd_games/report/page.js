"use strict";
// What a page can do beyond being read: tables that sort, and figures whose curves tell their numbers.
// Everything here is made by the script, so that a page without scripts shows no button that does nothing.
(() => {
  const made = (tag, className, text = "") => {
    const element = document.createElement(tag);
    element.className = className;
    element.textContent = text; // names are text, never HTML
    return element;
  };

  // Tables ---------------------------------------------------------------------------------------------------------

  const words = new Intl.Collator("en", { numeric: true }); // "action 2" stands before "action 10"
  const after = { none: "ascending", ascending: "descending", descending: "none" };

  /** What a cell is sorted by: a number in columns of numbers, else its text; null where it has none. */
  const keyOf = (cell, numeric) => {
    const text = cell.dataset.value ?? cell.textContent.trim();
    if (!numeric || text === "") return text || null;
    const value = Number(text.replace("inf", "Infinity"));
    return Number.isNaN(value) ? null : value;
  };

  /** Rows by a column; what is equal keeps its order, and what is empty stands last either way. */
  const sorted = (rows, column, numeric, direction) => {
    const keyed = rows.map((row) => ({ row, key: keyOf(row.cells[column], numeric) }));
    const order = numeric ? (a, b) => (a > b) - (a < b) : words.compare;
    const sign = direction === "ascending" ? 1 : -1;
    const full = keyed.filter(({ key }) => key !== null).sort((a, b) => sign * order(a.key, b.key));
    return [...full, ...keyed.filter(({ key }) => key === null)].map(({ row }) => row);
  };

  const makeSortable = (table) => {
    const body = table.tBodies[0];
    const rows = [...body.rows];
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, column) => {
      const button = made("button", "sort");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const direction = after[head.getAttribute("aria-sort") ?? "none"];
        heads.forEach((other) => other.removeAttribute("aria-sort"));
        if (direction !== "none") head.setAttribute("aria-sort", direction);
        body.append(...(direction === "none" ? rows : sorted(rows, column, head.classList.contains("number"), direction)));
      });
    });
  };

  // Curves ---------------------------------------------------------------------------------------------------------

  /** The place in a list of numbers that is nearest to a value; the first of several. */
  const nearest = (list, value) => list.reduce((best, entry, place) => (Math.abs(entry - value) < Math.abs(list[best] - value) ? place : best), 0);

  const makeReadable = (figure, number) => {
    const { down, key, lines } = JSON.parse(figure.dataset.curves);
    for (const line of lines) Object.assign(line, { keys: line.keys.split("\n"), values: line.values.split("\n") });
    const stops = [...new Set(lines.flatMap((line) => line.along))].sort((a, b) => a - b);
    const [alongSide, acrossSide] = down ? ["top", "left"] : ["left", "top"];

    const image = figure.querySelector("img");
    const plot = made("div", "plot");
    image.replaceWith(plot);
    const rule = made("div", down ? "rule down" : "rule");
    const marks = lines.map((line) => {
      const mark = made("div", "mark");
      mark.style.backgroundColor = line.colour;
      return mark;
    });
    plot.append(image, rule, ...marks);

    const slider = Object.assign(made("input", "slider"), { type: "range", id: `slider-${number}`, min: 0, max: stops.length - 1, value: 0 });
    const label = Object.assign(made("label", "", "Read the curves"), { htmlFor: slider.id });
    const controls = made("div", "controls");
    controls.append(label, slider);
    const readout = made("div", "readout");
    readout.setAttribute("role", "status");
    readout.setAttribute("aria-live", "polite");
    figure.querySelector("figcaption").before(controls, readout);

    const hide = () => {
      figure.classList.remove("reading");
      slider.setAttribute("aria-valuetext", "not reading");
      readout.replaceChildren(made("p", "hint", "Point at the figure, tap it, or move the slider to read its numbers; Escape ends it."));
    };

    const show = (stop) => {
      const at = stops[stop];
      const places = lines.map((line) => nearest(line.along, at));
      const owner = lines.findIndex((line, index) => line.along[places[index]] === at);
      const here = lines[owner].keys[places[owner]];
      const list = made("ul", "");
      lines.forEach((line, index) => {
        const place = places[index];
        // A line with no point just here says where its nearest one is.
        const elsewhere = line.keys[place] === here ? "" : ` (at ${line.keys[place]})`;
        const entry = made("li", "");
        const swatch = made("span", "swatch");
        swatch.style.backgroundColor = line.colour;
        entry.append(swatch, made("bdi", "", line.name), `: ${line.values[place]}${elsewhere}`);
        list.append(entry);
        marks[index].style[alongSide] = `${100 * line.along[place]}%`;
        marks[index].style[acrossSide] = `${100 * line.across[place]}%`;
      });
      rule.style[alongSide] = `${100 * at}%`;
      const title = made("p", "here", key && `${key}: `);
      title.append(made("bdi", "", here));
      readout.replaceChildren(title, list);
      slider.value = stop;
      slider.setAttribute("aria-valuetext", title.textContent);
      figure.classList.add("reading");
    };

    const point = (event) => {
      const box = image.getBoundingClientRect();
      show(nearest(stops, down ? (event.clientY - box.top) / box.height : (event.clientX - box.left) / box.width));
    };
    plot.addEventListener("pointermove", point);
    plot.addEventListener("pointerdown", point);
    slider.addEventListener("input", () => {
      show(slider.valueAsNumber);
      // Where the picture is wider than its frame, as on a phone, the rule stays in view.
      plot.parentElement.scrollLeft = rule.offsetLeft - plot.parentElement.clientWidth / 2;
    });
    document.addEventListener("keydown", (event) => event.key === "Escape" && hide());
    hide();
  };

  document.querySelectorAll("table[data-sortable]").forEach(makeSortable);
  document.querySelectorAll("figure[data-curves]").forEach(makeReadable);
})();
