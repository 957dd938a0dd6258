import { Component, type ReactNode } from "react";

/** Shows a message if the page can't be drawn. React would leave it blank. */
export class Failure extends Component<{ children: ReactNode }, { message: string | undefined }> {
  override state = { message: undefined as string | undefined };

  static getDerivedStateFromError(error: unknown) {
    return { message: error instanceof Error ? error.message : String(error) };
  }

  override render() {
    if (this.state.message === undefined) return this.props.children;
    return (
      <main className="failure" role="alert">
        <h1>The page could not be drawn</h1>
        <p>{this.state.message}</p>
        <button type="button" onClick={() => window.location.reload()}>
          Load it again
        </button>
      </main>
    );
  }
}
