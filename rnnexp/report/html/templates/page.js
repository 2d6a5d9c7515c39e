for (const header of document.querySelectorAll(".sortable th")) {
  header.firstChild.addEventListener("click", () => {
    const ascending = header.getAttribute("aria-sort") !== "ascending";
    for (const other of header.parentNode.children) other.removeAttribute("aria-sort");
    header.setAttribute("aria-sort", ascending ? "ascending" : "descending");
    const key = row => row.cells[header.cellIndex].dataset.value;
    const compare = (a, b) => {
      if (a === "" || b === "") return (a === "") - (b === ""); // what is missing comes last, either way
      const order = isNaN(a) || isNaN(b) ? a.localeCompare(b) : a - b;
      return ascending ? order : -order;
    };
    const body = header.closest("table").tBodies[0];
    body.append(...[...body.rows].sort((a, b) => compare(key(a), key(b))));
  });
}
