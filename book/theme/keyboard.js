// What mdBook leaves to the mouse, for those who have only a keyboard.

// A block that is wider than the screen can be reached, and then be moved with the arrow keys.
function reachWideBlocks() {
    for (const block of document.querySelectorAll('main pre > code, .table-wrapper')) {
        if (block.scrollWidth > block.clientWidth) {
            block.tabIndex = 0;
        } else {
            block.removeAttribute('tabindex');
        }
    }
}
addEventListener('load', reachWideBlocks);
addEventListener('resize', reachWideBlocks);

// The label that shows the table of contents is a button.
const contents = document.getElementById('mdbook-sidebar-toggle');
contents.setAttribute('role', 'button');
contents.tabIndex = 0;
contents.addEventListener('keydown', event => {
    if (event.key === 'Enter' || event.key === ' ') {
        event.preventDefault();
        contents.click();
    }
});
