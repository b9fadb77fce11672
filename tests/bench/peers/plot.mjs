// Bars as SVG: no library draws so little so plainly.

const W = 760, LABEL = 250, BAR = 22, GAP = 10, TOP = 44;

const escape = (text) => text.replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);

// [[name, value], …], the first is ours.
export function bars(title, rows) {
	const most = Math.max(...rows.map(([, value]) => value));
	const height = TOP + rows.length * (BAR + GAP) + GAP;
	const one = ([name, value], i) => {
		const y = TOP + i * (BAR + GAP), wide = Math.max(1, (W - LABEL - 90) * value / most);

		return `<text x="${LABEL - 8}" y="${y + 15}" text-anchor="end">${escape(name)}</text>
<rect x="${LABEL}" y="${y}" width="${wide.toFixed(1)}" height="${BAR}" fill="${i === 0 ? "#0a7d5a" : "#9aa3ad"}"/>
<text x="${(LABEL + wide + 6).toFixed(1)}" y="${y + 15}">${value < 10 ? value.toFixed(1) : Math.round(value)}</text>`;
	};

	return `<svg xmlns="http://www.w3.org/2000/svg" width="${W}" height="${height}" viewBox="0 0 ${W} ${height}"
font-family="sans-serif" font-size="13">
<rect width="100%" height="100%" fill="#fff"/>
<text x="12" y="24" font-size="15" font-weight="bold">${escape(title)}</text>
${rows.map(one).join("\n")}
</svg>
`;
}
